/**
 * A plug-in of TypeDoc: the pages of the reference. Each package's module has the package's name and README, each guide its heading
 * as its name. Links between them lead to pages; a link to another folder or file of the repository keeps its text alone, as the
 * reference is read without the repository. For the same reason sources are named by file and line and not linked.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Converter, MinimalSourceFile, normalizePath, ReflectionKind } from 'typedoc';

const HEADING = /^# (.+)\n/m;

/** The folder of the package that a file belongs to. */
function packageOf(file) {
  let folder = dirname(file);
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return normalizePath(folder);
}

/** Name and README of the package whose main entry the module is; the name alone of a further entry: `@cert/verify/node`. */
function addPackage(converter, project, module) {
  const source = normalizePath(module.sources[0].fullFileName);
  const folder = packageOf(source);
  const entry = dirname(source).slice(`${folder}/src`.length);
  module.name = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).name + entry;
  if (entry !== '') return;
  const file = normalizePath(join(folder, 'README.md'));
  const readme = readFileSync(file, 'utf8').replace(HEADING, '');
  module.readme = converter.parseRawComment(new MinimalSourceFile(readme, file), project.files).content;
  for (const path of [folder, file]) project.files.registerReflectionPath(path, module);
}

/** A guide is named by its heading; the README of a folder stands for the folder. */
function addDocument(project, document) {
  const file = project.files.getReflectionPath(document);
  document.name = HEADING.exec(readFileSync(file, 'utf8'))?.[1] ?? document.name;
  if (file.endsWith('/README.md')) project.files.registerReflectionPath(normalizePath(dirname(file)), document);
}

const isFigure = (path) => /\.(png|svg|jpe?g|gif|webp)$/.test(path);

/** `[text](path)` becomes `text` where the path is neither a page nor a figure. `parts` are what TypeDoc made of the Markdown. */
function unlinkRepository(project, parts) {
  for (const [index, part] of parts.entries()) {
    if (part.kind !== 'relative-link' || part.target === undefined) continue;
    const target = project.files.resolve(part.target, project);
    if (typeof target !== 'string' || !existsSync(target)) continue; // A page; or nothing, which TypeDoc reports.
    if (statSync(target).isFile() && isFigure(target)) continue;
    const [before, after] = [parts[index - 1], parts[index + 1]];
    before.text = before.text.replace(/\[((?:[^[\]]|\[[^\]]*\])*)\]\($/, '$1');
    after.text = after.text.replace(/^\)/, '');
    parts[index] = { kind: 'text', text: '' };
    project.files.mediaToPath.delete(part.target); // Nor is it copied beside the pages.
  }
}

/** A parameter that is taken apart where it is declared has no name: it gets that of its type, `options` for one of options. */
function nameParameter(parameter) {
  const { type } = parameter;
  const name = type?.type === 'reference' ? type.name : 'Options';
  parameter.name = name.endsWith('Options') ? 'options' : name.charAt(0).toLowerCase() + name.slice(1);
}

/** `@throws CertError ...` leads to the class. */
function linkError(comment, target) {
  for (const { content } of comment.blockTags.filter(({ tag }) => tag === '@throws')) {
    const [first] = content;
    if (first?.kind !== 'text' || !first.text.startsWith('CertError ')) continue;
    first.text = first.text.slice('CertError'.length);
    content.unshift({ kind: 'inline-tag', tag: '@link', text: 'CertError', target });
  }
}

/** The members of a type in the order in which they are written, which says what belongs together; those of its bases behind. */
function sortMembers(type) {
  const place = ({ inheritedFrom, sources }) => (inheritedFrom ? 1e6 : 0) + (sources?.[0]?.line ?? 0);
  for (const { children } of [type, ...(type.groups ?? [])]) children?.sort((a, b) => place(a) - place(b));
}

/** @param {import('typedoc').Application} app */
export function load(app) {
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    const parameters = project.getReflectionsByKind(ReflectionKind.Parameter);
    for (const parameter of parameters) if (parameter.name === '__namedParameters') nameParameter(parameter);
    const modules = project.getReflectionsByKind(ReflectionKind.Module);
    for (const module of modules) addPackage(app.converter, project, module);
    for (const document of project.documents ?? []) addDocument(project, document);
    for (const { readme } of [project, ...modules]) unlinkRepository(project, readme ?? []);
    for (const { content } of project.documents ?? []) unlinkRepository(project, content);
  });
  app.converter.on(Converter.EVENT_RESOLVE_END, ({ project }) => {
    const certError = project.getReflectionsByKind(ReflectionKind.Class).find(({ name }) => name === 'CertError');
    for (const reflection of Object.values(project.reflections)) {
      for (const source of reflection.sources ?? []) delete source.url;
      if (reflection.comment) linkError(reflection.comment, certError);
    }
  });
  // Behind TypeDoc's own grouping, which sorts by name.
  app.converter.on(
    Converter.EVENT_RESOLVE_END,
    ({ project }) => {
      const types = project.getReflectionsByKind(ReflectionKind.Interface | ReflectionKind.TypeLiteral);
      for (const type of types) sortMembers(type);
    },
    -200,
  );
}
