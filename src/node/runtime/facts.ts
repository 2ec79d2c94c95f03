import { CompressError } from '../../errors.ts';
import type { ValueInfo } from '../../ir/graph.ts';
import { inputByteLength } from '../../onnx/size.ts';
import { type ModelInput, modelInputs } from '../data/inputs.ts';
import { readModel } from '../model.ts';
import { type OutputKind, outputKinds } from './outputs/kinds.ts';

/** Facts about a model from its file, where ONNX Runtime says less. */
export interface ModelFacts {
  /** Path of the file. */
  readonly label: string;
  /** Bytes of the file, with its external data. */
  readonly byteLength: number;
  /** Inputs that must be fed, in the model's order. */
  readonly inputs: readonly ModelInput[];
  /** The kind of each output. */
  readonly outputs: readonly OutputKind[];
}

/**
 * Reads a model that ONNX Runtime will run. ONNX Runtime says little about a missing or broken file; our reader names
 * the place.
 * @throws CompressError `io`, `malformed`, `limit`
 */
export async function readFacts(path: string): Promise<ModelFacts> {
  const model = await readModel(path);
  try {
    const inputs = await modelInputs(model);
    return { label: path, byteLength: inputByteLength(model), inputs, outputs: outputKinds(model) };
  } finally {
    await model.close();
  }
}

/**
 * Checks that two models can be fed the same inputs.
 * @throws CompressError `unsupported` that names the first input that differs
 */
export function checkSameInputs(reference: ModelFacts, other: ModelFacts): void {
  const theirs = new Map(other.inputs.map((one) => [one.name, one]));
  for (const input of reference.inputs) {
    const { name, dtype } = input;
    const found = theirs.get(name);
    if (found === undefined) throw differ(other, `has no input '${name}', which ${reference.label} has`);
    if (found.dtype !== dtype) {
      throw differ(other, `input '${name}' is ${found.dtype}; in ${reference.label} it is ${dtype}`);
    }
    if (!takesSame(input, found)) {
      const fact =
        `has different inputs: '${name}' is ${shapeOf(found)}; ` + `in ${reference.label} it is ${shapeOf(input)}`;
      throw differ(other, fact);
    }
    theirs.delete(name);
  }
  const [further] = theirs.keys();
  if (further !== undefined) throw differ(other, `has an input '${further}', which ${reference.label} does not have`);
}

/** The error for a model that differs from another one. */
export function differ({ label }: { readonly label: string }, fact: string): CompressError {
  return new CompressError('unsupported', label, fact, { hint: 'Were both made from the same model?' });
}

/** Whether an array exists that both accept; a single number may be an array without axes. */
function takesSame({ dims: a }: ValueInfo, { dims: b }: ValueInfo): boolean {
  if (a === undefined || b === undefined || a.length === 0 || b.length === 0) return true;
  if (a.length !== b.length) return false;
  return a.every((dim, axis) => typeof dim !== 'number' || typeof b[axis] !== 'number' || dim === b[axis]);
}

function shapeOf({ dtype, dims }: ValueInfo): string {
  return `${dtype} [${dims?.map((dim) => dim ?? '?').join(', ')}]`;
}
