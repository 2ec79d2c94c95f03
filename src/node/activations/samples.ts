import { CompressError } from '../../errors.ts';
import { toFloat32 } from '../../kernels/views.ts';
import type { DataSet, FeedTensor, Sample } from '../data/types.ts';

/** @throws CompressError `data` if there is none */
export async function firstSample(data: Pick<DataSet, 'description' | 'samples'>): Promise<Sample> {
  for await (const sample of data.samples()) return sample;
  throw noSamples(data.description);
}

export function noSamples(description: string): CompressError {
  return new CompressError('data', description, 'has no samples; calibration needs at least one');
}

/** Number of samples; reads the data if the number is not known. */
export async function countSamples(data: DataSet): Promise<number> {
  if (data.count !== undefined) return data.count;
  let count = 0;
  for await (const _ of data.samples()) count++;
  return count;
}

/** The tensor with this name, which may be `constructor`. */
export function own(tensors: Readonly<Record<string, FeedTensor>>, name: string): FeedTensor | undefined {
  return Object.hasOwn(tensors, name) ? tensors[name] : undefined;
}

/** The elements of a float tensor as float32; empty for other types. */
export function floatsOf(tensor: FeedTensor | undefined): Float32Array {
  switch (tensor?.dtype) {
    case 'float32':
      return tensor.data as Float32Array;
    case 'float16':
    case 'float64': {
      const { buffer, byteOffset, byteLength } = tensor.data;
      return toFloat32(new Uint8Array(buffer, byteOffset, byteLength), tensor.dtype);
    }
    default:
      return NOTHING;
  }
}

const NOTHING = new Float32Array(0);
