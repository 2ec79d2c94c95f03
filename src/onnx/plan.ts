import { CompressError } from '../errors.ts';
import type { Model } from '../ir/model.ts';
import type { Tensor } from '../ir/tensor.ts';
import { checkShape, type Shape } from '../options/check.ts';
import { type Addition, encodeModel, isUntouchedModel } from './encode.ts';
import { dataParts, type TensorLocation } from './encodeTensor.ts';
import { MAX_MESSAGE } from './fields.ts';
import { externals, holdsExternal, modelOrigins } from './origin.ts';
import { type Part, Parts } from './parts.ts';
import { Segment } from './segment.ts';

/**
 * Where weights go: `auto` keeps them in the model file unless it came with external data or would pass 2 GiB;
 * `external` puts them into `<name>.onnx.data`; `embed` keeps them in the model file.
 */
export type DataMode = (typeof DATA_MODES)[number];

/** All data modes. */
export const DATA_MODES = ['auto', 'external', 'embed'] as const;

/** Smaller tensors stay in the model file. onnx's and ONNX Runtime's own writers use the same threshold. */
const MIN_EXTERNAL = 1024;
/** Alignment of tensors in a data file, so that ONNX Runtime can map them into memory. */
const ALIGNMENT = 4096;

/** A file to write: its length and its parts. */
export interface FilePlan {
  readonly byteLength: number;
  readonly parts: readonly Part[];
}

/** A data file to write next to the model. */
export interface DataFilePlan extends FilePlan {
  readonly location: string;
  readonly carriesChecksum: boolean;
}

/** Data files of a limited size, for readers that load each file whole. */
export interface DataChunks {
  /** Name of the file with this number, counted from 0. */
  name(index: number): string;
  /**
   * Maximum size of a data file in bytes, unless a single tensor is larger. A model file above this size also moves its
   * weights to data files.
   */
  readonly most: number;
}

/** The model file and, if weights are external, the data files next to it: one, unless they are split into chunks. */
export interface ModelPlan extends FilePlan {
  readonly data: readonly DataFilePlan[];
  /** The model file still refers to the data files it was read with. They must be next to it, unchanged. */
  readonly keepsDataFiles: boolean;
}

/** Bytes that go to data files. */
export function dataBytes({ data }: ModelPlan): number {
  return data.reduce((sum, one) => sum + one.byteLength, 0);
}

export interface PlanOptions {
  readonly mode?: DataMode;
  /** File name for external data, e.g. `small.onnx.data`; undefined if there is only one stream to write to. */
  readonly dataName?: string;
  /** Several data files instead of one; `auto` then writes them if the model file would be larger than one chunk. */
  readonly chunks?: DataChunks | undefined;
  /** SHA-1 of each data file by name, if the source had checksums; zeros stand in until they are known. */
  readonly checksums?: ReadonlyMap<string, string>;
  /** Nodes and outputs that the file gets but the model does not have. */
  readonly adding?: Addition | undefined;
}

const PLAN_SHAPE: Shape<PlanOptions> = {
  mode: DATA_MODES,
  dataName: 'text',
  chunks: 'object',
  checksums: 'object',
  adding: 'object',
};

/**
 * Plans the files of a model: all lengths are known, but nothing is loaded or computed.
 * @throws CompressError `limit` if the model does not fit into one file and no data file is possible; `options`
 */
export function planModel(model: Model, options: PlanOptions = {}): ModelPlan {
  checkShape('planModel', options, PLAN_SHAPE);
  const { mode = 'auto', chunks } = options;
  const mayGoOut = options.dataName !== undefined || chunks !== undefined;
  if (mode === 'external' && !mayGoOut) {
    throw new CompressError('options', '', 'weights cannot go to a data file when the model is written to a stream', {
      hint: 'Write it with -o, which puts the data file next to the model.',
    });
  }
  const hasExternal = [model.graph, ...model.functions].some(holdsExternal);
  const origin = modelOrigins.get(model);
  const asItIs = chunks === undefined;
  const keeps = hasExternal ? mode === 'auto' && mayGoOut && asItIs : mode !== 'external' && asItIs;
  if (keeps && origin !== undefined && options.adding === undefined && isUntouchedModel(model)) {
    const whole = new Segment(origin.source, 0, origin.source.byteLength);
    return { byteLength: whole.byteLength, parts: [whole], data: [], keepsDataFiles: hasExternal };
  }
  // This also counts if none of the remaining weights is in a data file.
  const cameWithData = hasExternal || (origin !== undefined && origin.dataFiles.size > 0);
  const wantsExternal = mode === 'external' || (mode === 'auto' && cameWithData && mayGoOut && asItIs);
  const { adding } = options;
  if (!wantsExternal) {
    const embedded = encodeModel(model, { place: () => undefined, keepExternal: false, adding });
    const most = mode === 'embed' || chunks === undefined ? MAX_MESSAGE : Math.min(chunks.most, MAX_MESSAGE);
    if (embedded.byteLength <= most) {
      return { byteLength: embedded.byteLength, parts: embedded.list, data: [], keepsDataFiles: false };
    }
    if (mode === 'embed' || !mayGoOut) {
      throw new CompressError(
        'limit',
        '',
        `the model would have ${embedded.byteLength} bytes; ONNX files are smaller than 2 GiB`,
        {
          hint: 'Write it with -o, which stores its weights in a data file next to it.',
        },
      );
    }
  }
  return planExternal(model, options);
}

function planExternal(model: Model, options: PlanOptions): ModelPlan {
  const { checksums, adding } = options;
  const { dataName = '', chunks = { name: () => dataName, most: Number.POSITIVE_INFINITY } } = options;
  const files: { readonly location: string; readonly data: Parts }[] = [];
  const places = new Map<Tensor, TensorLocation>();
  const carriesChecksum = allTensors(model).some((tensor) => externals.get(tensor)?.checksum !== undefined);
  for (const tensor of allTensors(model)) {
    if (tensor.byteLength < MIN_EXTERNAL || tensor.dtype === 'string' || places.has(tensor)) continue;
    const open = files.at(-1);
    const fits = open !== undefined && aligned(open.data.byteLength) + tensor.byteLength <= chunks.most;
    const file = fits ? open : { location: chunks.name(files.length), data: new Parts() };
    if (!fits) files.push(file);
    const { location, data } = file;
    const gap = aligned(data.byteLength) - data.byteLength;
    if (gap > 0) data.bytes(new Uint8Array(gap));
    const checksum = carriesChecksum ? (checksums?.get(location) ?? '0'.repeat(40)) : undefined;
    places.set(tensor, { location, offset: data.byteLength, checksum });
    for (const part of dataParts(tensor).list) {
      if (part instanceof Segment) data.segment(part);
      else if (!(part instanceof Uint8Array)) data.tensor(part);
    }
  }
  const main = encodeModel(model, { place: (tensor) => places.get(tensor), keepExternal: false, adding });
  if (main.byteLength > MAX_MESSAGE) {
    throw new CompressError(
      'limit',
      '',
      `the model file would have ${main.byteLength} bytes even without its initializers`,
      {
        hint: 'Weights inside Constant nodes cannot go to a data file.',
      },
    );
  }
  return {
    byteLength: main.byteLength,
    parts: main.list,
    data: files.map(({ location, data }) => ({
      ...{ byteLength: data.byteLength, parts: data.list },
      ...{ location, carriesChecksum },
    })),
    keepsDataFiles: false,
  };
}

/** The next aligned offset for a tensor. */
function aligned(offset: number): number {
  return Math.ceil(offset / ALIGNMENT) * ALIGNMENT;
}

function allTensors(model: Model): readonly Tensor[] {
  return model.graphs().flatMap((graph) => [...graph.initializers.values()]);
}
