import { CompressError } from '../../errors.ts';
import { byteLengthOf, type DType, elementCount } from '../../ir/dtype.ts';
import type { ValueInfo } from '../../ir/graph.ts';
import type { Model } from '../../ir/model.ts';
import { constant, type Tensor } from '../../ir/tensor.ts';
import { fromFloat32 } from '../../kernels/rounded.ts';
import { Folding } from '../fold/context.ts';
import { removeUnread } from '../fold/dead.ts';
import type { Pass } from '../pass.ts';
import { takeBranches } from './branches.ts';

/**
 * A value for an input: a number, true or false, or nested lists of them with as many levels as the input has
 * dimensions.
 */
export type InputValue = number | bigint | boolean | readonly InputValue[];

/**
 * Replaces graph inputs by constants, and removes what is dead then: an If with a known condition is replaced by the
 * branch it takes, and nodes that nothing reads are removed.
 * ```
 * before  float32[n,512] x, int64[] sr     y = If (Equal(sr, 16000)) { … } { … }
 * after   float32[n,512] x                 y = …
 * ```
 * @param values - by input name. A single number fills an input whose dimensions are all known.
 * @throws CompressError `options` that names the input, its type and its dimensions, if there is no such input or the
 *   value does not fit
 * @example
 * await transform(model, setInputs({ sr: 16000 }));
 */
export function setInputs(values: Readonly<Record<string, InputValue>>): Pass {
  return {
    name: 'copy',
    async run(model) {
      const tensors = Object.entries(values).map(([name, value]) => tensorFor(model, name, value));
      for (const tensor of tensors) {
        model.graph.removeInput(tensor.name);
        model.graph.addInitializer(tensor);
      }
      model.freeInitializers();
      const taken = await takeBranches(model);
      const folding = new Folding(model);
      removeUnread(folding);
      const removed = folding.done.find((one) => one.action === 'unread_node')?.count ?? 0;
      const notes = tensors.map((one) => `'${one.name}' is now a constant, ${typeText(one)}`);
      if (taken > 0) notes.push(`${taken} ${taken === 1 ? 'If' : 'Ifs'} replaced by the branch that is taken`);
      if (removed > 0) notes.push(`${removed} unused ${removed === 1 ? 'node' : 'nodes'} removed`);
      return { pass: 'copy', changes: [], skips: [], notes };
    },
  };
}

/**
 * Reads `sr=16000` and `mask=[[1, 0]]`: the name of an input, and its value as JSON.
 * @throws CompressError `options`
 */
export function readInputValues(texts: readonly string[]): Record<string, InputValue> {
  const values: Record<string, InputValue> = Object.create(null);
  for (const text of texts) {
    // A name may contain `=`, a value cannot.
    const at = text.lastIndexOf('=');
    if (at < 1) throw wrong(`'${text}' is not an input name with a value`, 'For example: `set: sr=16000`.');
    const name = text.slice(0, at);
    if (Object.hasOwn(values, name)) throw wrong(`'${name}' is given twice`);
    const value = parsed(text.slice(at + 1));
    if (value === undefined) {
      throw wrong(
        `'${text.slice(at + 1)}' is not a value for '${name}'`,
        'Give a number, true, false, or lists of them, e.g. `[1, 2]`.',
      );
    }
    values[name] = value;
  }
  return values;
}

function parsed(text: string): InputValue | undefined {
  const isValue = (one: unknown): one is InputValue =>
    typeof one === 'number' || typeof one === 'boolean' || (Array.isArray(one) && one.every(isValue));
  // JSON would round an int64.
  if (/^-?\d{16,19}$/.test(text.trim())) return BigInt(text);
  try {
    const value: unknown = JSON.parse(text);
    return isValue(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function tensorFor(model: Model, name: string, value: InputValue): Tensor {
  const input = model.graph.inputs.find((one) => one.name === name);
  if (input === undefined) {
    const names = model.graph.fedInputs.map((one) => `'${one.name}'`).join(', ');
    throw wrong(`the model has no input '${name}'`, names === '' ? undefined : `Its inputs are ${names}.`);
  }
  const { dtype = 'undefined' } = input;
  const write = lookupWriter(dtype);
  const bad = (fact: string): CompressError => wrong(`'${name}' is ${typeText(input)}; ${fact}`);
  if (write === undefined) throw bad('values of that type cannot be set');
  const dims = dimsOf(input, value, bad);
  const flat = flatten(value);
  const elements = flat.length === 1 ? new Array<number | bigint>(elementCount(dims)).fill(flat[0] as number) : flat;
  const misfit = elements.find((one) => !write.fits(one));
  if (misfit !== undefined) throw bad(`${misfit} does not fit in ${dtype}`);
  const data = write.pack(elements);
  if (data.byteLength !== byteLengthOf(dtype, elementCount(dims))) throw bad(`${flat.length} numbers were given`);
  return constant(name, dtype, dims, data);
}

/** The dims of the tensor: those the input states, and for symbolic ones those of the value. */
function dimsOf(input: ValueInfo, value: InputValue, bad: (fact: string) => CompressError): number[] {
  const given = shapeOf(value);
  if (given === undefined) throw bad('the lists of the value differ in length');
  const stated = input.dims ?? given;
  const isOpen = stated.some((dim) => typeof dim !== 'number');
  if (given.length === 0) {
    if (isOpen) throw bad(`a single number does not determine its dims: give a list`);
    return stated as number[];
  }
  const shown = `the value has the dims [${given.join(', ')}]`;
  if (given.length !== stated.length) throw bad(shown);
  return given.map((dim, axis) => {
    const known = stated[axis];
    if (typeof known === 'number' && known !== dim) throw bad(shown);
    return dim;
  });
}

/** Undefined if nested lists differ in length. */
function shapeOf(value: InputValue): number[] | undefined {
  if (!Array.isArray(value)) return [];
  const shapes = (value as readonly InputValue[]).map(shapeOf);
  const [first = []] = shapes;
  if (shapes.some((one) => one === undefined || one.join() !== first.join())) return undefined;
  return [value.length, ...first];
}

function flatten(value: InputValue): (number | bigint)[] {
  if (Array.isArray(value)) return (value as readonly InputValue[]).flatMap(flatten);
  return [typeof value === 'boolean' ? Number(value) : (value as number | bigint)];
}

/** How numbers become elements of a type. */
interface Writer {
  readonly fits: (one: number | bigint) => boolean;
  readonly pack: (elements: readonly (number | bigint)[]) => ArrayBufferView;
}

const real = (pack: (elements: number[]) => ArrayBufferView): Writer => ({
  fits: () => true,
  pack: (elements) => pack(elements.map(Number)),
});
const whole = (low: bigint, high: bigint, pack: Writer['pack']): Writer => ({
  fits: (one) => (typeof one === 'bigint' || Number.isSafeInteger(one)) && BigInt(one) >= low && BigInt(one) <= high,
  pack,
});
const signed = (bits: bigint, pack: Writer['pack']): Writer =>
  whole(-(2n ** (bits - 1n)), 2n ** (bits - 1n) - 1n, pack);

const WRITERS: { readonly [dtype in DType]?: Writer } = {
  float32: real((elements) => Float32Array.from(elements)),
  float64: real((elements) => Float64Array.from(elements)),
  float16: real((elements) => fromFloat32(Float32Array.from(elements), 'float16')),
  int64: signed(64n, (elements) => BigInt64Array.from(elements, BigInt)),
  int32: signed(32n, (elements) => Int32Array.from(elements, Number)),
  int8: signed(8n, (elements) => Int8Array.from(elements, Number)),
  uint8: whole(0n, 255n, (elements) => Uint8Array.from(elements, Number)),
  bool: whole(0n, 1n, (elements) => Uint8Array.from(elements, Number)),
};

function lookupWriter(dtype: DType): Writer | undefined {
  return WRITERS[dtype];
}

/** `int64 [2, n]`, or `int64, one number`. */
function typeText({ dtype = 'undefined', dims }: ValueInfo): string {
  if (dims === undefined) return `${dtype} of unknown dims`;
  return dims.length === 0 ? `${dtype}, one number` : `${dtype} [${dims.map((one) => one ?? '?').join(', ')}]`;
}

function wrong(fact: string, hint?: string): CompressError {
  return new CompressError('options', 'set', fact, hint === undefined ? {} : { hint });
}
