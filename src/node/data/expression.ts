/** A length as a file names it: one name, or what is computed from several, e.g. `past_sequence + sequence`. */
export interface Expression {
  /** Names in it, each once. */
  readonly names: readonly string[];
  /** The length, given those of the names. */
  valueOf(lengths: (name: string) => number): number;
}

type Term = (lengths: (name: string) => number) => number;

/** A number, a name, or a sign. Exporters write names with dots and slashes too, but put spaces around a minus. */
const TOKEN = /\s*(\d+(?![\w.])|[A-Za-z_][\w.]*|\/\/|\s-(?=\s)|[+*/%(),])/y;
/** What a file calls by name, as PyTorch's exporter writes it. */
const FUNCTIONS: Readonly<Record<string, (...values: number[]) => number>> = {
  max: Math.max,
  min: Math.min,
  floor: Math.floor,
  ceiling: Math.ceil,
};
/** Parentheses are followed so deep. */
const MAX_DIM_DEPTH = 50;

/**
 * Reads the name of a dim. What is not an expression is one name: `unk__12`, `batch size`, `input-1`.
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

/** Sums of products, with parentheses and calls. Every method gives undefined if the text is something else. */
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

  /** What stands in parentheses, after the first one. */
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
