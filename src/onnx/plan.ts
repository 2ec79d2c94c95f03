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

/** All of them. */
export const DATA_MODES = ['auto', 'external', 'embed'] as const;

/** Smaller tensors stay in the model file: the threshold of onnx's and ONNX Runtime's own writers. */
const MIN_EXTERNAL = 1024;
/** Start of every tensor in a data file, so that ONNX Runtime can map it into memory. */
const ALIGNMENT = 4096;

/** A file to write: how long it will be, and from what. */
export interface FilePlan {
  readonly byteLength: number;
  readonly parts: readonly Part[];
}

/** The model file and, where weights go outside, the data file beside it. */
export interface ModelPlan extends FilePlan {
  readonly data: (FilePlan & { readonly location: string; readonly carriesChecksum: boolean }) | undefined;
  /** The model file refers to the data files it was read with, which must lie beside it unchanged. */
  readonly keepsDataFiles: boolean;
}

export interface PlanOptions {
  readonly mode?: DataMode;
  /** File name for external data, e.g. `small.onnx.data`; undefined where there is only one stream to write to. */
  readonly dataName?: string;
  /** SHA-1 of the data file, where the source carried checksums; planned as zeros before it is known. */
  readonly checksum?: string;
  /** Nodes and outputs that the file has and the model has not. */
  readonly adding?: Addition | undefined;
}

const PLAN_SHAPE: Shape<PlanOptions> = { mode: DATA_MODES, dataName: 'text', checksum: 'text', adding: 'object' };

/**
 * Plans the output of a model without computing anything: all lengths are known, nothing is loaded.
 * @throws CompressError `limit` when the model does not fit one file and has no second one; `options`
 */
export function planModel(model: Model, options: PlanOptions = {}): ModelPlan {
  checkShape('planModel', options, PLAN_SHAPE);
  const mode = options.mode ?? 'auto';
  if (mode === 'external' && options.dataName === undefined) {
    throw new CompressError('options', '', 'weights cannot go to a data file when the model goes to a stream', {
      hint: 'Write it with -o: the data file then lies beside the model.',
    });
  }
  const hasExternal = [model.graph, ...model.functions].some(holdsExternal);
  const origin = modelOrigins.get(model);
  const keeps = hasExternal ? mode === 'auto' && options.dataName !== undefined : mode !== 'external';
  if (keeps && origin !== undefined && options.adding === undefined && isUntouchedModel(model)) {
    const whole = new Segment(origin.source, 0, origin.source.byteLength);
    return { byteLength: whole.byteLength, parts: [whole], data: undefined, keepsDataFiles: hasExternal };
  }
  // Whether or not any of its weights is still where it was.
  const cameWithData = hasExternal || (origin !== undefined && origin.dataFiles.size > 0);
  const wantsExternal = mode === 'external' || (mode === 'auto' && cameWithData && options.dataName !== undefined);
  const { adding } = options;
  if (!wantsExternal) {
    const embedded = encodeModel(model, { place: () => undefined, keepExternal: false, adding });
    if (embedded.byteLength <= MAX_MESSAGE) {
      return { byteLength: embedded.byteLength, parts: embedded.list, data: undefined, keepsDataFiles: false };
    }
    if (mode === 'embed' || options.dataName === undefined) {
      throw new CompressError(
        'limit',
        '',
        `the model would have ${embedded.byteLength} bytes; an ONNX file ends below 2 GiB`,
        {
          hint: 'Write it with -o: its weights then go to a data file beside it.',
        },
      );
    }
  }
  return planExternal(model, options);
}

function planExternal(model: Model, options: PlanOptions): ModelPlan {
  const { dataName: location = '', checksum, adding } = options;
  const data = new Parts();
  const places = new Map<Tensor, TensorLocation>();
  const carriesChecksum = allTensors(model).some((tensor) => externals.get(tensor)?.checksum !== undefined);
  const sum = carriesChecksum ? (checksum ?? '0'.repeat(40)) : undefined;
  for (const tensor of allTensors(model)) {
    if (tensor.byteLength < MIN_EXTERNAL || tensor.dtype === 'string' || places.has(tensor)) continue;
    const gap = -data.byteLength & (ALIGNMENT - 1);
    // -x & mask works on 32 bits, which is enough: only the low twelve matter.
    if (gap > 0) data.bytes(new Uint8Array(gap));
    places.set(tensor, { location, offset: data.byteLength, checksum: sum });
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
  const file =
    places.size === 0 ? undefined : { byteLength: data.byteLength, parts: data.list, location, carriesChecksum };
  return { byteLength: main.byteLength, parts: main.list, data: file, keepsDataFiles: false };
}

function allTensors(model: Model): readonly Tensor[] {
  return model.graphs().flatMap((graph) => [...graph.initializers.values()]);
}
