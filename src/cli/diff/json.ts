import type { ModelDiff } from '../../passes/diff/index.ts';

/** What `diff --json` writes. */
export interface DiffJson extends ModelDiff {
  /** Paths of the two models. */
  readonly before: string;
  readonly after: string;
  /** Whether the files are equal byte for byte. */
  readonly identical: boolean;
}
