import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

/**
 * The version alone on the first line, then everything else a bug report needs. ONNX Runtime is located, not loaded.
 */
export function versionText(): string {
  const own = ownVersion();
  const runtime = runtimeVersion();
  const runs = runtime === undefined ? 'onnxruntime-node is not installed' : `onnxruntime-node ${runtime}`;
  return `${own}\n${runs}, Node.js ${process.versions.node}, ${process.platform} ${process.arch}`;
}

/** The version of this package. */
export function ownVersion(): string {
  return versionIn(new URL('../../package.json', import.meta.url)) ?? '';
}

/** The version of onnxruntime-node; undefined if it is not installed. */
export function runtimeVersion(): string | undefined {
  const folders = createRequire(import.meta.url).resolve.paths('onnxruntime-node') ?? [];
  for (const folder of folders) {
    const found = versionIn(join(folder, 'onnxruntime-node', 'package.json'));
    if (found !== undefined) return found;
  }
  return undefined;
}

function versionIn(path: string | URL): string | undefined {
  try {
    return (JSON.parse(readFileSync(path, 'utf8')) as { version?: string }).version;
  } catch {
    return undefined;
  }
}
