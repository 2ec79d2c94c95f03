import type { Graph } from '../../ir/graph.ts';
import type { Node } from '../../ir/node.ts';
import { constantName, isVariable } from '../../layers/constant.ts';
import { sizeOf } from '../../layers/select.ts';
import type { Skip } from '../../layers/skip.ts';
import { hasCodes } from '../../schemes/contrib.ts';
import { sourceConstant } from '../../schemes/decodable.ts';
import { integerWeightOf, isIntegerOp } from '../../schemes/operators.ts';
import type { Dequantized } from '../facts.ts';
import type { Counted, Rewriting } from './rewriting.ts';

/** Whether a node quantizes or dequantizes. */
export function isStep({ domain, opType }: Node): boolean {
  if (domain === '' || domain === 'ai.onnx') return /^(Quantize|Dequantize|DynamicQuantize)Linear$/.test(opType);
  return domain === 'com.microsoft' && /^(Quantize|Dequantize)Linear$/.test(opType);
}

/** Changes other than to weights. */
export function factOf({ counts, rounded }: Rewriting): Dequantized {
  const of = (what: Counted): number => counts.get(what) ?? 0;
  const values = rounded.filter(({ graph, value }) => graph.producer(value) === undefined).length;
  return { kind: 'dequantized', values, relus: of('relus'), clips: of('clips') };
}

/** The same, one sentence each. */
export function notesOf({ values, relus, clips }: Dequantized): string[] {
  const notes: string[] = [];
  if (values > 0) notes.push(`${values} ${values === 1 ? 'value is' : 'values are'} no longer rounded to integers`);
  if (relus > 0) notes.push(`${relus} Relu restored, because the integers began at 0`);
  if (clips > 0) notes.push(`${clips} Clip to 6 restored, because the integers ranged from 0 to 6`);
  return notes;
}

/** What still computes with integers, and why. */
export function leftovers({ model }: Rewriting): { readonly skips: Skip[]; readonly notes: string[] } {
  const skips: Skip[] = [];
  const kinds = new Map<string, number>();
  for (const { graph, node } of model.nodes()) {
    if (!isStep(node) && !isIntegerOp(node)) continue;
    kinds.set(node.opType, (kinds.get(node.opType) ?? 0) + 1);
    const skip = skipOf(model, graph, node);
    if (skip !== undefined) skips.push(skip);
  }
  const list = [...kinds].map(([opType, count]) => `${count} ${opType}`).join(', ');
  return { skips, notes: list === '' ? [] : [`still computed in integers: ${list}`] };
}

function skipOf(model: Rewriting['model'], graph: Graph, node: Node): Skip | undefined {
  const value = isStep(node) ? (node.inputs[0] ?? '') : (integerWeightOf(node) ?? '');
  const held = sourceConstant(graph, value)?.held;
  if (held === undefined) return undefined;
  const { opType } = node;
  const weight = constantName(held);
  const facts = {
    weight,
    node: node.name || (node.outputs[0] ?? ''),
    opType,
    ...sizeOf(held),
  };
  if (model.trainingNames.has(weight)) {
    return { ...facts, reason: 'used_in_training', detail: 'training_info refers to it by name' };
  }
  if (isVariable(model, held)) return { ...facts, reason: 'graph_input', detail: 'a caller may override it' };
  const detail = hasCodes(node)
    ? `the codes, scales and zero points of ${opType} are inconsistent, or stored in an unknown order`
    : `there is no float equivalent of ${opType} with such scales`;
  return { ...facts, reason: 'unknown_codes', detail };
}
