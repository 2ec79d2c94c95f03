// Makes the site, in site/: README.md, the pages of docs/, and the API reference, with search and without a network.
//   npm run site
// TypeDoc, which writes the API reference, takes pages too: VitePress would bring vue, vite and a second esbuild for
// the same.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Application, Comment, CommentTag, Converter, TSConfigReader, TypeDocReader } from 'typedoc';

const root = fileURLToPath(new URL('..', import.meta.url));
process.chdir(root);

const pagesIn = (folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.md'))
    .sort()
    .map((name) => `${folder}/${name}`);

/** Sections of the navigation, with the pages of each, in this order. */
const SECTIONS = [
  ['Guides', [...pagesIn('docs/guides'), 'docs/library.md']],
  ['Verbs', [...pagesIn('docs/passes'), ...['inspect', 'diff', 'verify', 'bench', 'tune', 'variants'].map(page)]],
  ['Reference', ['options', 'data', 'json', 'config', 'recipes', 'report', 'limits'].map(page)],
  ['Measured', ['measured', 'zoo', 'performance'].map(page)],
  ['Project', ['docs/architecture.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md']],
  ['Decisions', pagesIn('docs/decisions')],
];

function page(name) {
  return `docs/${name}.md`;
}

const pages = ['docs/README.md', ...SECTIONS.flatMap(([, list]) => list)];
const sectionOf = new Map(SECTIONS.flatMap(([name, list]) => list.map((path) => [path, name])));

const app = await Application.bootstrap(
  {
    ...{ options: 'typedoc.json', readme: 'README.md', name: 'onnx-compress', projectDocuments: pages },
    ...{
      navigation: { includeGroups: true, includeCategories: false },
      groupOrder: ['Start', ...sectionOf.values(), '*'],
    },
    highlightLanguages: ['bash', 'console', 'html', 'javascript', 'json', 'make', 'python', 'typescript', 'yaml'],
  },
  [new TypeDocReader(), new TSConfigReader()],
);
// A page is named by its heading, and listed in its section.
app.converter.on(Converter.EVENT_CREATE_DOCUMENT, (_, document) => {
  const path = `${document.name}.md`;
  document.name = /^# (.+)$/m.exec(readFileSync(path, 'utf8'))?.[1] ?? path;
  const section = new CommentTag('@group', [{ kind: 'text', text: sectionOf.get(path) ?? 'Start' }]);
  document.comment ??= new Comment();
  document.comment.blockTags.push(section);
});
const project = await app.convert();
if (project === undefined) process.exit(1);
await app.generateDocs(project, 'site');
if (app.logger.hasErrors() || app.logger.hasWarnings()) process.exitCode = 1;
