import { CompressError } from '../errors.ts';

/**
 * Reads an amount as `torch.nn.utils.prune` takes it: `0.4` is a fraction of the weights, `5000` a number of weights.
 * @param things - what is counted
 * @throws CompressError `options`
 */
export function parseAmount(option: string, text: string, things = 'weights'): number {
  const value = Number(text);
  const bad = (fact: string): CompressError =>
    new CompressError('options', `--${option}`, fact, {
      hint: `Give a fraction between 0 and 1 (--${option} 0.4) or a whole number of ${things} (--${option} ${things === 'weights' ? 5000 : 8}).`,
    });
  if (text.trim() === '' || !Number.isFinite(value)) throw bad(`'${text}' is not a number`);
  if (value <= 0) throw bad(`${text} would prune nothing`);
  if (value < 1) return value;
  if (!/^\d+$/.test(text.trim())) throw bad(`${text} is neither a fraction below 1 nor a whole number`);
  if (!Number.isSafeInteger(value)) throw bad(`${text} is larger than any tensor`);
  return value;
}

/** Reads a whole number that may be 0. */
export function parseWhole(option: string, text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text.trim()) && Number.isSafeInteger(value)) return value;
  throw new CompressError('options', `--${option}`, `'${text}' is not a whole number`);
}

/** Reads a whole number that is at least 1. */
export function parsePositive(option: string, text: string): number {
  const value = parseWhole(option, text);
  if (value > 0) return value;
  throw new CompressError('options', `--${option}`, 'at least 1 is needed');
}

/**
 * Reads a finite number.
 * @param what - e.g. `a share from 0 to 1`
 * @param most - with it, the number must be from 0 to this
 */
export function parseNumber(option: string, text: string, what: string, most?: number): number {
  const value = Number(text);
  const fits = most === undefined || (value >= 0 && value <= most);
  if (text.trim() !== '' && Number.isFinite(value) && fits) return value;
  throw new CompressError('options', `--${option}`, `'${text}' is not ${what}`);
}

/** Reads regular expressions. */
export function parsePatterns(option: string, texts: readonly string[]): RegExp[] {
  return texts.map((text) => {
    try {
      return new RegExp(text, 'u');
    } catch (cause) {
      const fact = `'${text}' is not a regular expression: ${(cause as Error).message.replace(/^.*?: /, '')}`;
      throw new CompressError('options', `--${option}`, fact, {
        hint: 'For example: --exclude "lm_head|layers\\.0\\."',
      });
    }
  });
}

/** Splits `Gemm,MatMul` and repeated options into one list. */
export function parseList(texts: readonly string[]): string[] {
  return texts
    .flatMap((text) => text.split(','))
    .map((text) => text.trim())
    .filter((text) => text !== '');
}

/**
 * Reads a share: `1%`, `0.5 %` or `0.01`. A whole number without `%` may be meant either way, so it is refused.
 * @throws CompressError `options`
 */
export function parseShare(option: string, text: string): number {
  const [, number = '', percent = ''] = /^\s*(\d+\.?\d*|\.\d+)\s*(%?)\s*$/.exec(text) ?? [];
  const share = percent === '%' ? Number(number) / 100 : Number(number);
  if (number !== '' && share <= 1 && (percent === '%' || share < 1)) return share;
  throw new CompressError('options', `--${option}`, `'${text}' is neither percent nor a share below 1`, {
    hint: `For example: --${option} 1%, or --${option} 0.01.`,
  });
}
