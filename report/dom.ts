/** An element with children; text is set as text, so that no name of a model becomes markup. */
export function element(
  name: string,
  attributes: Readonly<Record<string, string>> = {},
  ...children: readonly (Node | string)[]
): HTMLElement {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** The value of a colour of page.css, as it is in the light or the dark scheme. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** Bytes with three digits, in powers of 1000. */
export function bytes(count: number): string {
  let [value, unit] = [count, 0];
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toPrecision(3)} ${UNITS[unit]}`;
}

/** A whole number, its digits in groups of three. */
export function count(number: number): string {
  return number.toLocaleString('en');
}

/** A share in percent, with one decimal. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** Decibels; `∞` where nothing differs, `–` where they are not known. */
export function decibels(value: number | 'Infinity' | null): string {
  if (value === null) return '–';
  return value === 'Infinity' ? '∞' : `${value.toFixed(1)} dB`;
}

/** Noise as a share of the signal: what an SQNR leaves, 0 to 1 and more. */
export function lossOf(sqnr: number | 'Infinity'): number {
  return sqnr === 'Infinity' ? 0 : 10 ** (-sqnr / 20);
}

/** The same in percent, with two digits. */
export function lossText(sqnr: number | 'Infinity'): string {
  const loss = 100 * lossOf(sqnr);
  return loss === 0 ? 'none' : `${loss >= 10 ? loss.toFixed(0) : loss.toPrecision(2)} %`;
}
