import { textLength } from '../../bytes/bytes.ts';
import { elementCount } from '../../ir/dtype.ts';
import { Graph } from '../../ir/graph.ts';
import { type Model, standardVersion } from '../../ir/model.ts';
import { type Attribute, attribute, createNode, isOp, type Node } from '../../ir/node.ts';
import { constant, type Tensor } from '../../ir/tensor.ts';

/** The opset that has all operators of the form for the types it needs. */
export const MASK_OPSET = 13;
/** The first IR version with functions in the file. */
export const MASK_IR = 8;
/** Domain of the functions that compute a weight from its mask and values. */
const DOMAIN = 'compress';

/**
 * The most bytes that a mask or sparse tensor of a file may expand to, since a small one can claim any size. It equals
 * what a runtime computes when it loads a model (`foldedBytes` in src/targets), so that every written model can be
 * read.
 */
export const MAX_FOLDED: number = 2 ** 30;

/** `TensorProto.DataType` of int32. */
const INT32 = 6;

/** The two functions: for weights whose elements fill the bytes of the mask, and for those whose elements do not. */
type Variant = 'Unpack' | 'UnpackCut';

function variantFor(dims: readonly number[]): Variant {
  return elementCount(dims) % 8 === 0 ? 'Unpack' : 'UnpackCut';
}

/**
 * The function that unpacks, once in a model however many weights it has:
 * ```
 * bit    = Reshape(Mod(BitShift(mask, [0..7]), 2), [-1])           uint8 [8 · bytes]
 * bit    = Slice(bit, [0], ReduceProd(dims))                       only of UnpackCut: uint8 [elements]
 * weight = Reshape(Gather(values, CumSum(bit) · bit), dims)        omitted elements take position 0, which is the fill
 * ```
 * Bits become int32 as late as possible: while ONNX Runtime loads a model, it keeps the output of every node.
 * @param opset - opset of the model
 * @see https://onnx.ai/onnx/repo-docs/IR.html#functions
 */
function unpackFunction(variant: Variant, name: string, opset: number): Graph {
  const given = (output: string, value: Attribute): Node =>
    createNode({ opType: 'Constant', inputs: [], outputs: [output], attributes: [value] });
  const bytes = (dims: readonly number[], ...list: number[]): Attribute =>
    attribute.tensor('value', constant('', 'uint8', dims, Uint8Array.from(list)));
  const node = (opType: string, inputs: readonly string[], output: string, attributes: Node['attributes'] = []): Node =>
    createNode({ opType, inputs, outputs: [output], attributes });
  const cut = [
    given('zero', attribute.ints('value_ints', [0])),
    node('ReduceProd', ['dims'], 'n'),
    node('Slice', ['r', 'zero', 'n'], 's'),
  ];
  return new Graph({
    kind: 'function',
    name,
    inputs: [{ name: 'mask' }, { name: 'values' }, { name: 'dims' }],
    outputs: [{ name: 'weight' }],
    nodes: [
      given('shifts', bytes([8], 0, 1, 2, 3, 4, 5, 6, 7)),
      given('two', bytes([], 2)),
      given('flat', attribute.ints('value_ints', [-1])),
      given('axis', attribute.int('value_int', 0)),
      node('BitShift', ['mask', 'shifts'], 'b', [attribute.string('direction', 'RIGHT')]),
      node('Mod', ['b', 'two'], 'm'),
      node('Reshape', ['m', 'flat'], 'r'),
      ...(variant === 'Unpack' ? [] : cut),
      node('Cast', [variant === 'Unpack' ? 'r' : 's'], 'i', [attribute.int('to', INT32)]),
      node('CumSum', ['i', 'axis'], 'c'),
      node('Mul', ['c', 'i'], 'p'),
      node('Gather', ['values', 'p'], 'g'),
      node('Reshape', ['g', 'dims'], 'weight'),
    ],
    signature: { domain: DOMAIN, overload: '', defaults: [], opsets: [{ domain: '', version: opset }] },
  });
}

/** State shared by the nodes of all weights: the functions, and the dims of weights of equal shape. */
export class Shared {
  readonly #model: Model;
  readonly #dims = new Map<string, string>();
  readonly #names = new Map<Variant, string>();

  constructor(model: Model) {
    this.#model = model;
  }

  /** The node that computes the weight from its mask and values. */
  node(mask: string, values: string, dims: readonly number[], weight: string): Node {
    return callOf(this.#functionFor(variantFor(dims)), mask, values, this.#nameOf(dims), weight);
  }

  #functionFor(variant: Variant): string {
    const known = this.#names.get(variant);
    if (known !== undefined) return known;
    const model = this.#model;
    const taken = new Set(model.functions.filter((one) => one.signature?.domain === DOMAIN).map((one) => one.name));
    let name: string = variant;
    for (let count = 1; taken.has(name); count++) name = `${variant}_${count}`;
    model.addFunction(unpackFunction(variant, name, model.opset));
    model.addOpset(DOMAIN, 1);
    if (model.irVersion < MASK_IR) model.setIrVersion(MASK_IR);
    this.#names.set(variant, name);
    return name;
  }

  #nameOf(dims: readonly number[]): string {
    const known = this.#dims.get(dims.join());
    if (known !== undefined) return known;
    const { graph } = this.#model;
    const name = graph.uniqueName('dims');
    graph.setInitializer(constant(name, 'int64', [dims.length], BigInt64Array.from(dims, BigInt)));
    this.#dims.set(dims.join(), name);
    return name;
  }
}

function callOf(opType: string, mask: string, values: string, dims: string, weight: string): Node {
  return createNode({ opType, domain: DOMAIN, inputs: [mask, values, dims], outputs: [weight] });
}

/** The variant of a function that this pass wrote, whatever its name; undefined for other functions. */
export async function unpackVariant(one: Graph): Promise<Variant | undefined> {
  const version = standardVersion(one.signature?.opsets ?? []) ?? 0;
  if (one.kind !== 'function' || version < MASK_OPSET) return undefined;
  for (const variant of ['Unpack', 'UnpackCut'] as const) {
    if (await sameFunction(one, unpackFunction(variant, one.name, version))) return variant;
  }
  return undefined;
}

async function sameFunction(one: Graph, ours: Graph): Promise<boolean> {
  const names = (graph: Graph): string =>
    [...graph.inputs, { name: '→' }, ...graph.outputs].map(({ name }) => name).join();
  if (names(one) !== names(ours) || one.nodes.length !== ours.nodes.length) return false;
  for (const [index, node] of one.nodes.entries()) if (!(await sameNode(node, ours.nodes[index]))) return false;
  return true;
}

async function sameNode(one: Node, other: Node | undefined): Promise<boolean> {
  if (other === undefined || !isOp(one, other.opType)) return false;
  if (one.inputs.join() !== other.inputs.join() || one.outputs.join() !== other.outputs.join()) return false;
  if (one.attributes.length !== other.attributes.length) return false;
  for (const [index, wanted] of other.attributes.entries()) {
    const found = one.attributes[index];
    if (found?.name !== wanted.name) return false;
    const same =
      (found.type === 'int' && wanted.type === 'int' && found.value === wanted.value) ||
      (found.type === 'ints' && wanted.type === 'ints' && found.value.join() === wanted.value.join()) ||
      (found.type === 'string' && wanted.type === 'string' && found.value === wanted.value) ||
      (found.type === 'tensor' && wanted.type === 'tensor' && (await sameTensor(found.value, wanted.value)));
    if (!same) return false;
  }
  return true;
}

async function sameTensor(one: Tensor, other: Tensor): Promise<boolean> {
  if (one.dtype !== other.dtype || one.dims.join() !== other.dims.join()) return false;
  return (await one.load()).join() === (await other.load()).join();
}

/** Bytes that each function and the import take in a file: the weights have to save more. */
const SHARED_BYTES: Readonly<Record<Variant, number>> = { Unpack: 425, UnpackCut: 515 };

/** Bytes that the weights of these dims share. */
export function sharedBytes(list: readonly (readonly number[])[]): number {
  const variants = new Set(list.map(variantFor));
  return [...variants].reduce((sum, one) => sum + SHARED_BYTES[one], 0);
}

/** Names of masks and values; a number follows, of up to three digits where sizes are compared. */
export const MASK_NAME = 'mask';
export const VALUES_NAME = 'kept';
const NUMBER = '_100';

/** Bytes that a weight takes in a file as mask, values, dims of its own and the node. */
export function maskBytes(weight: string, dims: readonly number[], kept: number, size: number): number {
  const bits = Math.ceil(elementCount(dims) / 8);
  const [mask, values] = [MASK_NAME + NUMBER, VALUES_NAME + NUMBER];
  const { inputs, outputs, opType } = callOf('UnpackCut', mask, values, `dims${NUMBER}`, weight);
  const texts = [...inputs, ...outputs, opType, DOMAIN];
  return (
    2 +
    texts.reduce((sum, text) => sum + 2 + textLength(text), 0) +
    tensorBytes(mask, [bits, 1], bits) +
    tensorBytes(values, [kept + 1], (kept + 1) * size) +
    tensorBytes(`dims${NUMBER}`, [dims.length], 8 * dims.length)
  );
}

/** Bytes that a tensor takes in a file. */
export function tensorBytes(name: string, dims: readonly number[], byteLength: number): number {
  const lengths = dims.reduce((sum, dim) => sum + varintBytes(dim), 0);
  const inner = 2 + lengths + 2 + 2 + textLength(name) + 1 + varintBytes(byteLength) + byteLength;
  return 1 + varintBytes(inner) + inner;
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let left = value; left >= 128; left /= 128) bytes++;
  return bytes;
}
