import { bytesSource, type DataFolder, type Source } from '../bytes/source.ts';
import { CompressError } from '../errors.ts';
import type { Graph } from '../ir/graph.ts';
import type { MetadataEntry, ModelHeader } from '../ir/header.ts';
import { Model, type OpsetImport } from '../ir/model.ts';
import { checkShape, type Shape } from '../options/check.ts';
import { type ReadContext, remember, wholeOf } from './context.ts';
import { MAX_MESSAGE, MODEL } from './fields.ts';
import { containers, modelOrigins, OutlineBuilder } from './origin.ts';
import { readFunction, readGraph } from './readGraph.ts';
import { readHeader } from './readHeader.ts';
import { drive, type Reading } from './reading.ts';
import { readMetadata } from './readMetadata.ts';
import { readOpset } from './readOpset.ts';
import { readTrainingNames } from './readTraining.ts';
import type { Segment } from './segment.ts';
import { isText, sniff } from './sniff.ts';
import { Skimmer } from './wire.ts';
import type { Field } from './wireField.ts';

/** Options of {@link readModel}. */
export interface ReadOptions {
  /** The folder of external data; without it a model cannot have any. It is closed with the model. */
  readonly folder?: DataFolder | undefined;
}

const READ_SHAPE: Shape<ReadOptions> = { folder: 'object' };

/** A model as bytes: in memory, or in any {@link Source}. */
export type ModelBytes = Uint8Array | ArrayBuffer | Source;

/**
 * Opens a model: reads nodes, types and metadata. Weights stay in the source until they are needed. The model keeps its
 * source open; `model.close()` closes it.
 *
 * @param input - the bytes of a file, or any {@link Source}
 * @throws CompressError `malformed`, `limit` or `unsupported`, naming the file, the place and the fact; `options` for
 *   what is neither
 * @example
 * const model = await readModel(await (await fetch('model.onnx')).arrayBuffer());
 */
export async function readModel(input: ModelBytes, options: ReadOptions = {}): Promise<Model> {
  checkShape('readModel', options, READ_SHAPE);
  const source = sourceOf(input);
  const { folder } = options;
  const release = async (): Promise<void> => {
    await source.close();
    await folder?.close();
  };
  try {
    return await read(source, folder, release);
  } catch (cause) {
    await release();
    throw cause;
  }
}

/**
 * Checks and wraps the input of a function.
 * @param wanted - what else the caller accepts, for the error
 * @throws CompressError `options` for what is not a model
 */
export function sourceOf(input: unknown, wanted = 'bytes or a Source'): Source {
  if (input instanceof Uint8Array) return bytesSource(input);
  // Also accept an ArrayBuffer of another realm, as in tests and frames.
  if (Object.prototype.toString.call(input) === '[object ArrayBuffer]') {
    return bytesSource(new Uint8Array(input as ArrayBuffer));
  }
  if (isSource(input)) return input;
  const found =
    input === null ? 'null' : typeof input === 'object' ? (input.constructor?.name ?? 'an object') : typeof input;
  throw new CompressError('options', 'readModel', `expects ${wanted}; ${found} was given`);
}

function isSource(input: unknown): input is Source {
  const { label, byteLength, read: reading, close } = (input ?? {}) as Partial<Source>;
  const whole = typeof label === 'string' && typeof byteLength === 'number';
  return whole && typeof reading === 'function' && typeof close === 'function';
}

async function read(source: Source, folder: DataFolder | undefined, release: () => Promise<void>): Promise<Model> {
  if (source.byteLength === 0) throw new CompressError('malformed', source.label, 'is empty; a model was expected');
  const head = await source.read(0, Math.min(source.byteLength, 512));
  const known = sniff(head);
  if (known !== undefined) throw new CompressError('malformed', source.label, known.fact, known);
  if (source.byteLength > MAX_MESSAGE) {
    throw new CompressError(
      'limit',
      source.label,
      `has ${source.byteLength} bytes; ONNX files are smaller than 2 GiB`,
      {
        hint: 'Larger models store their weights in external data files.',
      },
    );
  }

  const skim = new Skimmer(source);
  const context: ReadContext = { skim, folder, dataFiles: new Map() };
  const outline = new OutlineBuilder();
  const opsets: OpsetImport[] = [];
  const functions: Graph[] = [];
  const metadata: MetadataEntry[] = [];
  const trainingNames = new Set<string>();
  let irVersion: number | undefined;
  let irVersionField: Segment | undefined;
  let graph: Graph | undefined;
  const visit = function* (field: Field): Reading<void> {
    switch (field.number) {
      case MODEL.irVersion:
        irVersion = skim.int(field);
        irVersionField = wholeOf(context, field);
        break;
      case MODEL.graph:
        if (graph !== undefined) throw skim.error(field.tagStart, 'the model has a second graph');
        graph = remember(context, yield* readGraph(context, field, 'graph'), field);
        break;
      case MODEL.opsetImport:
        opsets.push(yield* readOpset(context, field));
        break;
      case MODEL.metadata:
        metadata.push(yield* readMetadata(context, field));
        break;
      case MODEL.functions:
        functions.push(remember(context, yield* readFunction(context, field, `functions[${functions.length}]`), field));
        break;
      default:
        if (field.number === MODEL.trainingInfo) yield* readTrainingNames(context, field, trainingNames);
        outline.copy(wholeOf(context, field));
        return;
    }
    outline.leaf(field.number);
  };
  await drive(skim.walk(0, source.byteLength, visit)).catch((cause: unknown) => {
    const malformed = cause instanceof CompressError && cause.code === 'malformed';
    if (!malformed || graph !== undefined || irVersion !== undefined) throw cause;
    if (isText(head)) throw plainText(source.label, cause);
    if (cause.hint !== undefined) throw cause;
    throw new CompressError('malformed', source.label, cause.message.slice(source.label.length + 2), {
      hint: 'Is it an ONNX model?',
      cause,
    });
  });
  if (graph === undefined || irVersion === undefined || irVersionField === undefined) {
    if (graph === undefined && irVersion === undefined && isText(head)) throw plainText(source.label);
    throw new CompressError('malformed', source.label, `has no ${graph === undefined ? 'graph' : 'ir_version'}`, {
      hint: 'Is it an ONNX model?',
    });
  }
  const header = (): Promise<Omit<ModelHeader, 'metadata'>> => readHeader(source, context.dataFiles);
  const model = new Model({ irVersion, opsets, graph, functions, metadata, trainingNames, release, header });
  containers.set(model, {
    payload: skim.segment(0, source.byteLength),
    outline: outline.done(),
    leaves: [...opsets, ...functions, ...metadata],
  });
  modelOrigins.set(model, { irVersion, irVersionField, source, folder, dataFiles: context.dataFiles });
  return model;
}

/** The error for plain text. The position of an invalid field would not help a user who gave the wrong file. */
export function plainText(label: string, cause?: CompressError): CompressError {
  return new CompressError('malformed', label, 'is plain text, not an ONNX model', {
    hint: 'Give the .onnx file.',
    cause,
  });
}
