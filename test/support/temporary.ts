import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from '@jest/globals';

/**
 * A private folder for the temporary files of a test file that counts them, because other tests and programs use that
 * of the system.
 * @returns its path, once the tests have begun
 */
export function ownTemporaryFolder(): { readonly path: string } {
  const before = process.env['TMPDIR'];
  const own = { path: '' };
  beforeAll(() => {
    own.path = mkdtempSync(join(tmpdir(), 'own-'));
    process.env['TMPDIR'] = own.path;
  });
  afterAll(() => {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
    rmSync(own.path, { recursive: true });
  });
  return own;
}
