/** A symbolic length: a single name, or an expression of several, e.g. `past_sequence + sequence`. */
export interface Expression {
  /** The distinct names in it. */
  readonly names: readonly string[];
  /** Computes the length from those of the names. */
  valueOf(lengths: (name: string) => number): number;
}

type Term = (lengths: (name: string) => number) => number;

/**
 * A number, a name, or an operator. Exporters also write names with dots and slashes, but put spaces around a minus.
 */
const TOKEN = /\s*(\d+(?![\w.])|[A-Za-z_][\w.]*|\/\/|\s-(?=\s)|[+*/%(),])/y;
/** Functions that PyTorch's exporter writes. */
const FUNCTIONS: Readonly<Record<string, (...values: number[]) => number>> = {
  max: Math.max,
  min: Math.min,
  floor: Math.floor,
  ceiling: Math.ceil,
};
/** Maximum depth of parentheses. */
const MAX_DIM_DEPTH = 50;

/**
 * Parses the name of a dimension. Text that is not an expression is one name: `unk__12`, `batch size`, `input-1`.
 * @returns an expression whose value is a whole number, at least 1
 */
export function parseDim(text: string): Expression {
  const tokens = tokensOf(text);
  const parser = tokens === undefined ? undefined : new Parser(tokens);
  const term = parser?.all();
  if (parser === undefined || term === undefined || parser.names.size === 0) {
    return { names: [text], valueOf: (lengths) => lengths(text) };
  }
  return {
    names: [...parser.names],
    valueOf: (lengths) => {
      const value = Math.floor(term(lengths));
      return Number.isFinite(value) ? Math.max(1, value) : 1;
    },
  };
}

function tokensOf(text: string): string[] | undefined {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.trimEnd().length) {
    const [, token] = TOKEN.exec(text) ?? [];
    if (token === undefined) return undefined;
    tokens.push(token.trim());
  }
  return tokens;
}

/** Parses sums of products, with parentheses and calls. Every method returns undefined for anything else. */
class Parser {
  readonly names = new Set<string>();
  readonly #tokens: readonly string[];
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens;
  }

  all(): Term | undefined {
    const term = this.#sum();
    return this.#at === this.#tokens.length ? term : undefined;
  }

  #sum(): Term | undefined {
    return this.#chain(['+', '-'], () => this.#product());
  }

  #product(): Term | undefined {
    return this.#chain(['*', '/', '//', '%'], () => this.#atom());
  }

  #chain(signs: readonly string[], next: () => Term | undefined): Term | undefined {
    let left = next();
    while (left !== undefined && signs.includes(this.#tokens[this.#at] ?? '')) {
      const sign = this.#tokens[this.#at++] as string;
      const [a, b] = [left, next()];
      left = b === undefined ? undefined : (lengths) => compute(sign, a(lengths), b(lengths));
    }
    return left;
  }

  #atom(): Term | undefined {
    const token = this.#tokens[this.#at++];
    if (token === undefined) return undefined;
    if (token === '(') return this.#inside()?.[0];
    if (/^\d/.test(token)) return () => Number(token);
    if (!/^[A-Za-z_]/.test(token)) return undefined;
    if (this.#tokens[this.#at] !== '(') {
      this.names.add(token);
      return (lengths) => lengths(token);
    }
    this.#at++;
    const call = Object.hasOwn(FUNCTIONS, token.toLowerCase()) ? FUNCTIONS[token.toLowerCase()] : undefined;
    const given = this.#inside();
    if (call === undefined || given === undefined) return undefined;
    return (lengths) => call(...given.map((one) => one(lengths)));
  }

  /** The contents of parentheses, after the opening one. */
  #inside(): [Term, ...Term[]] | undefined {
    if (++this.#depth > MAX_DIM_DEPTH) return undefined;
    const terms: Term[] = [];
    do {
      const term = this.#sum();
      if (term === undefined) return undefined;
      terms.push(term);
    } while (this.#tokens[this.#at++] === ',');
    this.#depth--;
    const [first, ...others] = terms;
    return first === undefined || this.#tokens[this.#at - 1] !== ')' ? undefined : [first, ...others];
  }
}

function compute(sign: string, a: number, b: number): number {
  switch (sign) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return a / b;
    case '//':
      return Math.floor(a / b);
    default:
      return a % b;
  }
}
