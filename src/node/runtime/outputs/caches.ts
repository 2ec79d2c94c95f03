import { bodiesOf, type Node } from '../../../ir/node.ts';
import type { Scope, Scopes } from '../scope.ts';

/** Names that exporters give to state for the next step. */
const NAMES = /(^|[^a-z])(presents?|past)([^a-z]|$)|past_key|present_key|kv_?cache|(^|[^a-z])cache/i;
/** Names of inputs that are such state. */
const STATES = /past|cache|state|mem|hidden|(^|[^a-z])[hc]\d*([^a-z]|$)/i;

/** Operators that pass a state to its output unchanged, reshaped or joined with others. */
const CARRYING = new Set(
  'Identity Cast Reshape Squeeze Unsqueeze Transpose Slice Gather Concat Split Expand'.split(' '),
);
const RECURRENT = new Set(['LSTM', 'GRU', 'RNN']);
/** Attention operators with a cache output keys and values after their main output. */
const ATTENTION = /Attention$/;
/** Maximum number of nodes to follow backwards, in one chain and in total. */
const MOST_STEPS = 30;
const MOST_NODES = 5000;

/** Whether an output is state for the next step: a cache of keys and values, or the state of a recurrent layer. */
export function isCache(scopes: Scopes, name: string): boolean {
  return (
    NAMES.test(name) || isFedBack(scopes, name) || carries(scopes, scopes.main, name, MOST_STEPS, { nodes: MOST_NODES })
  );
}

/** `hn` with an input `h0`, `new_state` with an input `state`. */
function isFedBack({ main }: Scopes, name: string): boolean {
  const output = name.toLowerCase().replace(/^(new|next|out|updated)[._]?|[._]?(out|new|next|n)$/g, '');
  return main.graph.fedInputs.some((one) => {
    const input = one.name.toLowerCase().replace(/^(in|prev|init|initial)[._]?|[._]?(in|prev|0)$/g, '');
    return STATES.test(one.name) && one.name !== name && input === output;
  });
}

function carries(scopes: Scopes, scope: Scope, name: string, steps: number, left: { nodes: number }): boolean {
  const place = scopes.origin(scope, name);
  if (place === undefined || steps === 0 || left.nodes-- <= 0) return false;
  const { node, scope: at } = place;
  if (node === undefined) return isState(scopes, scope, name);
  const index = node.outputs.indexOf(place.name);
  if (ATTENTION.test(node.opType)) return index > 0;
  if (RECURRENT.has(node.opType))
    return index > 0 && (node.inputs[5] ?? '') !== '' && isState(scopes, at, node.inputs[5]);
  // Another branch may start with zeros.
  const ends =
    node.opType === 'If' ? bodiesOf(node).map((body) => ({ body, end: body.outputs[index]?.name ?? '' })) : [];
  if (ends.some(({ body, end }) => carries(scopes, scopes.inside(at, body), end, steps - 1, left))) return true;
  if (!CARRYING.has(node.opType)) return false;
  // New entries are appended to the existing ones.
  if (node.opType === 'Concat' && isAppended(scopes, at, node)) return true;
  const inputs = node.opType === 'Concat' ? node.inputs : node.inputs.slice(0, 1);
  return inputs.length > 0 && inputs.every((one) => carries(scopes, at, one, steps - 1, left));
}

function isAppended(scopes: Scopes, scope: Scope, { inputs }: Node): boolean {
  const [first, ...others] = inputs;
  return others.length > 0 && isState(scopes, scope, first) && others.some((one) => !isState(scopes, scope, one));
}

/** Whether a value is a graph input with the name of a state, possibly reshaped. */
function isState(scopes: Scopes, scope: Scope, name: string | undefined, steps: number = MOST_STEPS): boolean {
  const place = name ? scopes.origin(scope, name) : undefined;
  if (place === undefined || steps === 0) return false;
  const { node, scope: at } = place;
  if (node === undefined)
    return at.graph === scopes.main.graph && at.graph.isInput(place.name) && STATES.test(place.name);
  return CARRYING.has(node.opType) && isState(scopes, at, node.inputs[0], steps - 1);
}
