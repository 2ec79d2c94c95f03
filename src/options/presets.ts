import { type AnyTable, excludes, flagsText } from './option.ts';

/** The options that each preset of `quantize` stands for; docs/passes/quantize.md has the figures. */
export const PRESETS = {
  smallest: { int4: true, tableBits: '4' },
  fast: { int8: true },
  exact: { float16: true },
  web: { target: 'web' },
} as const;

export type Preset = keyof typeof PRESETS;

export const PRESET_NAMES: readonly Preset[] = Object.keys(PRESETS) as Preset[];

type Given = Readonly<Record<string, unknown>>;

/**
 * The options that a preset adds to those given. Given options win: over the same option, and over the whole preset if
 * they exclude a part of it.
 */
export function presetOptions({ rows }: Pick<AnyTable, 'rows'>, given: Given): Record<string, string | boolean> {
  const preset = PRESET_NAMES.find((one) => one === given['preset']);
  if (preset === undefined) return {};
  const there = Object.keys(rows).filter((key) => given[key] !== undefined && given[key] !== false);
  const options = Object.entries(PRESETS[preset]);
  const excluded = (key: string): boolean => there.some((one) => excludes(rows, one, key));
  if (options.some(([key]) => excluded(key))) return {};
  return Object.fromEntries(options.filter(([key]) => !there.includes(key)));
}

/** `preset smallest: --int4 --table-bits 4`; undefined if no preset is given. */
export function presetLine(table: Pick<AnyTable, 'rows'>, given: Given): string | undefined {
  if (given['preset'] === undefined) return undefined;
  return standsFor(`preset ${given['preset']}`, Object.entries(presetOptions(table, given)));
}

/** A line that lists the options a name stands for. */
export function standsFor(name: string, options: Iterable<readonly [key: string, value: unknown]>): string {
  return `${name}: ${flagsText(options) || 'overridden by other options'}`;
}
