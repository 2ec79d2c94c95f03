import { equalBytes } from '../../bytes/bytes.ts';
import { chunksOf } from '../../compute/chunks.ts';
import type { Constant, Use } from '../../ir/graph.ts';
import type { Model } from '../../ir/model.ts';
import { intAttribute, isOp } from '../../ir/node.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { isVariable } from '../../layers/constant.ts';
import type { Pass } from '../pass.ts';
import { shareOne } from '../sharing.ts';

/** Smaller tensors take no more room than what says where another one is. */
const LEAST_BYTES = 64;
/** Tensors with one hash that are told apart: somebody may have made thousands. */
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
 * the model computes stays the same.
 * ```
 * before  float32[8,8] a, float32[8,8] b   h = MatMul (x, a)   y = MatMul (h, b)
 * after   float32[8,8] a                   h = MatMul (x, a)   y = MatMul (h, a)        a and b are equal
 * ```
 * Equal tensors in two branches move to the graph around both. What a caller may feed, what is an output of its graph
 * and what training names stays, and so do tensors below 64 bytes and those of local functions.
 *
 * @example
 * await transform(model, dedupe());
 */
export function dedupe(): Pass {
  return {
    name: 'copy',
    async run(model) {
      const { tensors, bytes } = await dedupeTensors(model);
      const which = tensors === 1 ? 'tensor that is there already is' : 'tensors that are there already are';
      const note = tensors === 0 ? 'no two tensors are equal' : `${tensors} ${which} left out: ${bytes} bytes`;
      const facts = tensors === 0 ? {} : { facts: [{ kind: 'deduplicated', tensors, bytes } as const] };
      return { pass: 'copy', changes: [], skips: [], ...facts, notes: [note] };
    },
  };
}

/** {@link dedupe}, inside another pass. Tensors that may be equal are read, a chunk at a time, and no others. */
export async function dedupeTensors(model: Model): Promise<Deduped> {
  let [tensors, bytes] = [0, 0];
  for (const alike of groupsOf(model).values()) {
    if (alike.length < 2) continue;
    const kinds = new Map<string, Constant[]>();
    for (const held of alike) {
      const hash = await hashOf(held.tensor);
      const list = kinds.get(hash) ?? [];
      kinds.set(hash, list);
      const at = await indexOfEqual(list, held.tensor);
      const first = list[at];
      if (first === undefined) {
        if (list.length < MAX_ALIKE) list.push(held);
        continue;
      }
      const kept = shareOne(model, first, held);
      if (kept === undefined) continue;
      list[at] = kept;
      tensors++;
      bytes += held.tensor.byteLength;
    }
  }
  if (tensors > 0) model.freeInitializers();
  return { tensors, bytes };
}

/** Tensors that can be left out, by what must be the same; outer graphs first, and initializers before Constant nodes. */
function groupsOf(model: Model): Map<string, Constant[]> {
  const groups = new Map<string, Constant[]>();
  for (const graph of model.graphs()) {
    if (graph.root.kind === 'function') continue;
    const constants = graph.nodes.filter((node) => isOp(node, 'Constant')).map((node) => node.outputs[0] ?? '');
    for (const name of [...graph.initializers.keys(), ...constants]) {
      const held = graph.constant(name);
      if (held === undefined || held.tensor.byteLength < LEAST_BYTES || isVariable(model, held)) continue;
      if (graph.uses(name).some(keepsApart)) continue;
      const key = `${held.tensor.dtype} ${held.tensor.dims.join()}`;
      const list = groups.get(key);
      if (list === undefined) groups.set(key, [held]);
      else list.push(held);
    }
  }
  return groups;
}

/** Whether a use of a tensor wants it for itself: outputs have names, and ONNX Runtime writes into running means. */
function keepsApart({ node, index }: Use): boolean {
  if (node === undefined) return true;
  return isOp(node, 'BatchNormalization') && index >= 3 && intAttribute(node, 'training_mode', 0) === 1;
}

/** 64 bits that equal bytes have in common, and few others. */
async function hashOf(tensor: Tensor): Promise<string> {
  let [a, b] = [0x811c9dc5, 0x9747b28c];
  for await (const bytes of chunksOf(tensor)) {
    for (const byte of bytes) {
      a = Math.imul(a ^ byte, 0x01000193);
      b = Math.imul(b ^ byte, 0x5bd1e995);
      b ^= b >>> 13;
    }
  }
  return `${a >>> 0} ${b >>> 0}`;
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
