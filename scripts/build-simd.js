// Compiles assembly/ to WebAssembly and writes it, in base64, to src/kernels/simd/binary.ts.
//   npm run build:simd
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const OUTPUT = 'src/kernels/simd/binary.ts';
const OPTIONS = [
  ...['--optimizeLevel', '3', '--shrinkLevel', '0', '--converge', '--noAssert'],
  ...['--runtime', 'stub', '--enable', 'simd', '--enable', 'bulk-memory', '--initialMemory', '1'],
];

/** The module as WebAssembly. Nothing is written. */
export async function compile() {
  const { default: asc } = await import('assemblyscript/asc');
  let binary;
  const { error, stderr } = await asc.main(['assembly/index.ts', '--outFile', 'kernels.wasm', ...OPTIONS], {
    readFile: (name) => {
      try {
        return readFileSync(join(root, name), 'utf8');
      } catch {
        return null;
      }
    },
    writeFile: (name, contents) => {
      if (name === 'kernels.wasm') binary = contents;
    },
    listFiles: () => [],
  });
  if (error !== null || binary === undefined) throw new Error(`assembly/ does not compile:\n${stderr}`);
  return binary;
}

/** The text of src/kernels/simd/binary.ts. */
export function source(binary) {
  const base64 = Buffer.from(binary).toString('base64');
  return `/** The kernels of assembly/ as WebAssembly, in base64: written by \`npm run build:simd\`, never by hand. */
export const WASM_BASE64: string =
  '${base64}';
`;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const binary = await compile();
  writeFileSync(join(root, OUTPUT), source(binary));
  console.error(`${OUTPUT}: ${binary.length} bytes of WebAssembly`);
}
