import type { VariantFile, VariantsReport } from '../../node/recipes/variants/index.ts';
import { type PlainStep, plainStep } from '../../passes/recipe.ts';

/** What `variants --json` writes. */
export interface VariantsJson extends Omit<VariantsReport, 'files'> {
  readonly files: readonly VariantFileJson[];
}

interface VariantFileJson extends Omit<VariantFile, 'steps'> {
  /** How it was made, as steps of a recipe. */
  readonly steps: readonly PlainStep[];
}

/** The report as JSON, with steps as in a recipe. */
export function variantsJson({ files, ...rest }: VariantsReport): VariantsJson {
  return { ...rest, files: files.map((one) => ({ ...one, steps: one.steps.map(plainStep) })) };
}
