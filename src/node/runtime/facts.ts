import { CompressError } from '../../errors.ts';
import type { ValueInfo } from '../../ir/graph.ts';
import { inputByteLength } from '../../onnx/size.ts';
import { type ModelInput, modelInputs } from '../data/inputs.ts';
import { readModel } from '../model.ts';
import { type OutputKind, outputKinds } from './outputs/kinds.ts';

/** What the file of a model says about it, where ONNX Runtime says less. */
export interface ModelFacts {
  /** Path of the file. */
  readonly label: string;
  /** Bytes of the file, with its external data. */
  readonly byteLength: number;
  /** What must be fed, in the model's order. */
  readonly inputs: readonly ModelInput[];
  /** What each output is for. */
  readonly outputs: readonly OutputKind[];
}

/**
 * Looks at a model that ONNX Runtime will run. Of a file that is missing or broken, ONNX Runtime says little; our
 * reader names the place.
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
 * Passes only models that can be fed the same.
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
      const fact = `has different inputs: '${name}' is ${shapeOf(found)}; in ${reference.label} it is ${shapeOf(input)}`;
      throw differ(other, fact);
    }
    theirs.delete(name);
  }
  const [further] = theirs.keys();
  if (further !== undefined) throw differ(other, `has an input '${further}', which ${reference.label} does not have`);
}

/** The error for a model that is not like another one. */
export function differ({ label }: { readonly label: string }, fact: string): CompressError {
  return new CompressError('unsupported', label, fact, { hint: 'Were both made from the same model?' });
}

/** Whether there is an array that both take; one number may be an array without axes. */
function takesSame({ dims: a }: ValueInfo, { dims: b }: ValueInfo): boolean {
  if (a === undefined || b === undefined || a.length === 0 || b.length === 0) return true;
  if (a.length !== b.length) return false;
  return a.every((dim, axis) => typeof dim !== 'number' || typeof b[axis] !== 'number' || dim === b[axis]);
}

function shapeOf({ dtype, dims }: ValueInfo): string {
  return `${dtype} [${dims?.map((dim) => dim ?? '?').join(', ')}]`;
}
