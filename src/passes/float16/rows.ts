import { lookup } from '../../ir/lookup.ts';
import { isStandard, type Node } from '../../ir/node.ts';
import { FLOAT_SCHEMAS } from './schemas.ts';

/** Operators of ONNX Runtime's own, in the form of FLOAT_SCHEMAS; others compute in float32. */
const OWN_SCHEMAS: Readonly<Record<string, string>> = {
  Attention: '1: T T T - T T - > T T | T',
  BiasGelu: '1: T T > T | T',
  FastGelu: '1: T T > T | T',
  FusedMatMul: '1: T T > T | T',
  GatherBlockQuantized: '1: - - T - > T | T',
  Gelu: '1: T > T | T',
  GroupQueryAttention: '1: T T T T T - - T T - T > T T T | T',
  MatMulNBits: '1: T - T T - T > T | T',
  MultiHeadAttention: '1: T T T T - T T T > T T T | T',
  QuickGelu: '1: T > T | T',
  RotaryEmbedding: '1: T - T T > T | T',
  SimplifiedLayerNormalization: '1: T T > T f | T',
  SkipLayerNormalization: '1: T T T T T > T f f T | T',
  SkipSimplifiedLayerNormalization: '1: T T T T > T f f T | T',
};

/** Which inputs and outputs of a node may be float32, and which of them float16 as well. */
export class Row {
  readonly #inputs: readonly string[];
  readonly #outputs: readonly string[];
  readonly #halves: ReadonlySet<string>;

  constructor(text: string) {
    const [formals = '', halves = ''] = text.split('|');
    const [inputs = [], outputs = []] = formals.split('>').map((one) => one.trim().split(' ').filter(Boolean));
    this.#inputs = inputs;
    this.#outputs = outputs;
    this.#halves = new Set(halves.trim().split(' '));
  }

  /** The type variable of an input, `f` if it is always float32, `-` if never. */
  input(index: number): string {
    return formal(this.#inputs, index);
  }

  output(index: number): string {
    return formal(this.#outputs, index);
  }

  /** Whether an input or output of this kind may be float16. */
  mayBeHalf(kind: string): boolean {
    return this.#halves.has(kind);
  }
}

function formal(list: readonly string[], index: number): string {
  const last = list.at(-1) ?? '-';
  if (index < list.length) return (list[index] as string).replace('*', '');
  return last.endsWith('*') ? last.slice(0, -1) : '-';
}

const rows = new Map<string, readonly (readonly [since: number, row: Row])[]>();

/** The row of a node at an opset of its domain; undefined for operators that are not known. */
export function rowOf({ domain, opType }: Node, opset: number): Row | undefined {
  const standard = isStandard(domain);
  if (!standard && domain !== 'com.microsoft') return undefined;
  const text = (standard ? lookup(FLOAT_SCHEMAS, opType) : undefined) ?? lookup(OWN_SCHEMAS, opType);
  if (text === undefined) return undefined;
  let found = rows.get(text);
  if (found === undefined) {
    found = text.split('; ').map((one) => {
      const colon = one.indexOf(':');
      return [Number(one.slice(0, colon)), new Row(one.slice(colon + 1))] as const;
    });
    rows.set(text, found);
  }
  return found.findLast(([since]) => since <= (standard ? opset : 1))?.[1] ?? found[0]?.[1];
}
