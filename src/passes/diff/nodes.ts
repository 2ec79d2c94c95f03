import type { Graph } from '../../ir/graph.ts';
import type { Attribute, Node } from '../../ir/node.ts';
import { nameOf } from '../inspect/roles.ts';
import type { Matching, Pair } from './match.ts';
import type { FactChange, NodeChange, NodeFacts } from './types.ts';
import { sameBytes } from './values.ts';

/** Longest text of an attribute in a report. */
const MAX_SHOWN = 60;

/** A node that is in one model only. */
export function nodeFacts(graph: string, node: Node): NodeFacts {
  const { name, inputs, outputs } = node;
  return { graph, name, opType: nameOf(node), inputs, outputs };
}

/** Pairs of nodes that are not the same, and what changed in them. */
export async function changedNodes(
  path: string,
  { pairs, values }: Matching,
  renamed: ReadonlyMap<string, string>,
): Promise<NodeChange[]> {
  const changed: NodeChange[] = [];
  for (const { before, after } of pairs) {
    const changes: FactChange[] = [];
    const [old, now] = [nameOf(before), nameOf(after)];
    if (old !== now) changes.push({ what: 'operator', before: old, after: now });
    changes.push(...inputChanges(before, after, (name) => renamed.get(name) ?? values.get(name) ?? name));
    // Attributes of different operators are not compared.
    if (old === now) changes.push(...(await attributeChanges(before, after)));
    if (before.outputs.length !== after.outputs.length) {
      changes.push({ what: 'outputs', before: before.outputs.join(', '), after: after.outputs.join(', ') });
    }
    if (changes.length > 0) {
      changed.push({ graph: path, name: after.name || (after.outputs[0] ?? ''), opType: now, changes });
    }
  }
  return changed;
}

function inputChanges(before: Node, after: Node, expected: (name: string) => string): FactChange[] {
  const changes: FactChange[] = [];
  for (let index = 0; index < Math.max(before.inputs.length, after.inputs.length); index++) {
    const [old, now] = [before.inputs[index] ?? '', after.inputs[index] ?? ''];
    if (old === now ? true : old !== '' && expected(old) === now) continue;
    changes.push({ what: `input ${index}`, before: old === '' ? undefined : old, after: now === '' ? undefined : now });
  }
  return changes;
}

async function attributeChanges(before: Node, after: Node): Promise<FactChange[]> {
  const changes: FactChange[] = [];
  const now = new Map(after.attributes.map((one) => [one.name, one]));
  for (const old of before.attributes) {
    const other = now.get(old.name);
    now.delete(old.name);
    if (other !== undefined && (await sameAttribute(old, other))) continue;
    changes.push({ what: old.name, before: shown(old), after: other && shown(other) });
  }
  for (const other of now.values()) changes.push({ what: other.name, before: undefined, after: shown(other) });
  return changes;
}

/**
 * Whether two attributes have one value. Bodies are compared as graphs; kinds that are not compared count as the same.
 */
async function sameAttribute(before: Attribute, after: Attribute): Promise<boolean> {
  if (before.type !== after.type) return false;
  switch (before.type) {
    case 'graph':
    case 'graphs':
    case 'opaque':
      return true;
    case 'tensor': {
      const [one, other] = [before.value, (after as typeof before).value];
      const shape = one.dtype === other.dtype && String(one.dims) === String(other.dims);
      return shape && (await sameBytes(one, other));
    }
    case 'sparse_tensor': {
      const [one, other] = [before.value, (after as typeof before).value];
      return one.dtype === other.dtype && String(one.dims) === String(other.dims) && one.stored === other.stored;
    }
    case 'float':
      return Object.is(before.value, (after as typeof before).value);
    case 'floats':
    case 'ints':
    case 'strings':
      return sameList(before.value, (after as typeof before).value);
    default:
      return before.value === (after as typeof before).value;
  }
}

function sameList(one: readonly unknown[], other: readonly unknown[]): boolean {
  return one.length === other.length && one.every((value, index) => Object.is(value, other[index]));
}

/** The value of an attribute in a few characters. */
function shown(one: Attribute): string {
  switch (one.type) {
    case 'tensor':
    case 'sparse_tensor':
      return `${one.value.dtype} [${one.value.dims.join(', ')}]`;
    case 'graph':
    case 'graphs':
    case 'opaque':
      return one.type;
    case 'floats':
    case 'ints':
    case 'strings':
      return cut(`[${one.value.slice(0, MAX_SHOWN).join(', ')}]`);
    default:
      return cut(String(one.value));
  }
}

function cut(text: string): string {
  return text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN - 1)}…`;
}

/** Corresponding bodies of a pair of nodes, with a path for reports. */
export function bodyPairs(path: string, { before, after }: Pair): { path: string; before: Graph; after: Graph }[] {
  const now = new Map(after.attributes.map((one) => [one.name, one]));
  const name = after.name || (after.outputs[0] ?? '');
  const inside = (attribute: string): string => `${path === '' ? '' : `${path}/`}${name}.${attribute}`;
  return before.attributes.flatMap((old) => {
    const other = now.get(old.name);
    if (old.type === 'graph' && other?.type === 'graph') {
      return [{ path: inside(old.name), before: old.value, after: other.value }];
    }
    if (old.type !== 'graphs' || other?.type !== 'graphs') return [];
    return old.value.flatMap((one, index) => {
      const there = other.value[index];
      return there === undefined ? [] : [{ path: inside(`${old.name}[${index}]`), before: one, after: there }];
    });
  });
}
