import { equalBytes } from '../../bytes/bytes.ts';
import { chunksOf } from '../../compute/chunks.ts';
import type { Constant, Use } from '../../ir/graph.ts';
import type { Model } from '../../ir/model.ts';
import { intAttribute, isOp } from '../../ir/node.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { aligned } from '../../kernels/views.ts';
import { isVariable } from '../../layers/constant.ts';
import type { Pass } from '../pass.ts';
import { shareOne } from '../sharing.ts';

/** Sharing smaller tensors would save nothing. */
const LEAST_BYTES = 64;
/** The most different tensors compared per hash: a hostile file may have thousands. */
const MAX_ALIKE = 8;

/** What {@link dedupeTensors} did. */
export interface Deduped {
  /** Tensors that are gone. */
  readonly tensors: number;
  /** Bytes they took. */
  readonly bytes: number;
}

/**
 * Stores equal tensors once: initializers and Constant nodes with the same type, the same dims and the same bytes. What
 * the model computes does not change.
 * ```
 * before  float32[8,8] a, float32[8,8] b   h = MatMul (x, a)   y = MatMul (h, b)
 * after   float32[8,8] a                   h = MatMul (x, a)   y = MatMul (h, a)        a and b are equal
 * ```
 * Equal tensors in two branches move to the enclosing graph. Kept are tensors that a caller may override, outputs of a
 * graph, tensors that `training_info` names, tensors below 64 bytes, and those of local functions. ONNX Runtime may not
 * fuse a DequantizeLinear whose integers another node reads too, so check a quantized model with `verify`.
 *
 * @example
 * await transform(model, dedupe());
 */
export function dedupe(): Pass {
  return {
    name: 'copy',
    async run(model) {
      const done = await dedupeTensors(model);
      const facts = done.tensors === 0 ? {} : { facts: [{ kind: 'deduplicated', ...done } as const] };
      return { pass: 'copy', changes: [], skips: [], ...facts, notes: [dedupedNote(done)] };
    },
  };
}

/**
 * {@link dedupe}, inside another pass. Of tensors with the same dims the first bytes are read; all of them, a chunk at
 * a time, where these are the same.
 */
export async function dedupeTensors(model: Model): Promise<Deduped> {
  return shareAll(model, await alikeTensors(model, () => true));
}

/** Groups of tensors with the same dims and hash, among those for which `among` holds. */
export async function alikeTensors(model: Model, among: (tensor: Tensor) => boolean): Promise<Constant[][]> {
  const found: Constant[][] = [];
  for (const alike of groupsOf(model, among).values()) {
    for (const same of await splitBy(alike, beginningOf)) found.push(...(await splitBy(same, hashOf)));
  }
  return found;
}

/** Leaves one of each kind among tensors of {@link alikeTensors}. */
export async function shareAll(model: Model, groups: readonly Constant[][]): Promise<Deduped> {
  let [tensors, bytes] = [0, 0];
  for (const alike of groups) {
    const done = await shareEqual(model, alike);
    tensors += done.tensors;
    bytes += done.bytes;
  }
  if (tensors > 0) model.freeInitializers();
  return { tensors, bytes };
}

/** A sentence on what was removed. */
export function dedupedNote({ tensors, bytes }: Deduped): string {
  if (tensors === 0) return 'no two tensors are equal';
  return tensors === 1
    ? `1 duplicate tensor removed: ${bytes} bytes less`
    : `${tensors} duplicate tensors removed: ${bytes} bytes less`;
}

/** Groups of two and more with the same key; single ones are dropped. */
async function splitBy(all: readonly Constant[], keyOf: (tensor: Tensor) => Promise<string>): Promise<Constant[][]> {
  if (all.length < 2) return [];
  const groups = new Map<string, Constant[]>();
  for (const held of all) {
    const key = await keyOf(held.tensor);
    const list = groups.get(key);
    if (list === undefined) groups.set(key, [held]);
    else list.push(held);
  }
  return [...groups.values()].filter((one) => one.length > 1);
}

/** Leaves one of each kind among tensors that have the same hash. */
async function shareEqual(model: Model, alike: readonly Constant[]): Promise<Deduped> {
  const kinds: Constant[] = [];
  let [tensors, bytes] = [0, 0];
  for (const held of alike) {
    const at = await indexOfEqual(kinds, held.tensor);
    const first = kinds[at];
    if (first === undefined) {
      if (kinds.length < MAX_ALIKE) kinds.push(held);
      continue;
    }
    const kept = shareOne(model, first, held);
    if (kept === undefined) continue;
    kinds[at] = kept;
    tensors++;
    bytes += held.tensor.byteLength;
  }
  return { tensors, bytes };
}

/** Removable tensors by type and dims; outer graphs first, and initializers before Constant nodes. */
function groupsOf(model: Model, among: (tensor: Tensor) => boolean): Map<string, Constant[]> {
  const groups = new Map<string, Constant[]>();
  for (const graph of model.graphs()) {
    if (graph.root.kind === 'function') continue;
    const constants = graph.nodes.filter((node) => isOp(node, 'Constant')).map((node) => node.outputs[0] ?? '');
    for (const name of [...graph.initializers.keys(), ...constants]) {
      const held = graph.constant(name);
      if (held === undefined || held.tensor.byteLength < LEAST_BYTES || !among(held.tensor)) continue;
      if (isVariable(model, held)) continue;
      if (graph.uses(name).some(needsOwnTensor)) continue;
      const key = `${held.tensor.dtype} ${held.tensor.dims.join()}`;
      const list = groups.get(key);
      if (list === undefined) groups.set(key, [held]);
      else list.push(held);
    }
  }
  return groups;
}

/** Whether a use needs a tensor of its own: outputs have names, and ONNX Runtime writes into running means. */
function needsOwnTensor({ node, index }: Use): boolean {
  if (node === undefined) return true;
  return isOp(node, 'BatchNormalization') && index >= 3 && intAttribute(node, 'training_mode', 0) === 1;
}

/** First bytes of a tensor, enough to distinguish most. */
const BEGINNING = 256;

async function beginningOf(tensor: Tensor): Promise<string> {
  const { stored } = tensor;
  const part = new Uint8Array(Math.min(BEGINNING, tensor.byteLength));
  if (stored !== undefined) await stored.readInto(part, 0);
  else {
    for await (const bytes of chunksOf(tensor)) {
      part.set(bytes.subarray(0, part.byteLength));
      break;
    }
  }
  return part.join();
}

/** A 64-bit hash of the bytes. */
async function hashOf(tensor: Tensor): Promise<string> {
  let [a, b] = [0x811c9dc5, 0x9747b28c];
  const mix = (word: number): void => {
    a = Math.imul(a ^ word, 0x01000193);
    a ^= a >>> 15;
    b = Math.imul(b ^ word, 0x5bd1e995);
    b ^= b >>> 13;
  };
  for await (const bytes of chunksOf(tensor)) {
    const whole = bytes.byteLength - (bytes.byteLength % 4);
    for (const word of words(bytes.subarray(0, whole))) mix(word);
    for (const byte of bytes.subarray(whole)) mix(byte);
  }
  return `${a >>> 0} ${b >>> 0}`;
}

function words(bytes: Uint8Array): Uint32Array {
  const { buffer, byteOffset, byteLength } = aligned(bytes, 4);
  return new Uint32Array(buffer, byteOffset, byteLength / 4);
}

async function indexOfEqual(list: readonly Constant[], tensor: Tensor): Promise<number> {
  for (const [index, one] of list.entries()) if (await equalTensors(one.tensor, tensor)) return index;
  return -1;
}

async function equalTensors(one: Tensor, other: Tensor): Promise<boolean> {
  const second = chunksOf(other)[Symbol.asyncIterator]();
  try {
    for await (const bytes of chunksOf(one)) {
      const { value } = await second.next();
      if (value === undefined || !equalBytes(bytes, value)) return false;
    }
    return true;
  } finally {
    await second.return();
  }
}
