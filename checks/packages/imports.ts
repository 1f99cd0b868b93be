import ts from 'typescript';

/** The packages that a module imports, at any time. */
export function importedPackages(code: string): readonly string[] {
  const specifiers = ts.preProcessFile(code, true, true).importedFiles.map(({ fileName }) => fileName);
  const outside = specifiers.filter((specifier) => !/^(node:|\.)/.test(specifier));
  return [
    ...new Set(
      outside.map((specifier) =>
        specifier
          .split('/')
          .slice(0, specifier.startsWith('@') ? 2 : 1)
          .join('/'),
      ),
    ),
  ];
}
