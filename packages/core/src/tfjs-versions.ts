import { CertError } from './errors.js';

/**
 * Gradients rely on the arguments and outputs of kernels, which a minor release of TensorFlow.js may change without an error.
 *
 * @param expected the version that the gradients are of
 * @param found the versions of the packages that were loaded, by name
 * @throws CertError `missing-package` where one is of another minor version
 */
export function checkVersions(expected: string, found: { readonly [name: string]: string }): void {
  const others = Object.entries(found).filter(([, version]) => minor(version) !== minor(expected));
  if (others.length === 0) return;
  throw new CertError(
    'missing-package',
    `@cert/core needs TensorFlow.js ${minor(expected)}; loaded: ${others.map(([name, version]) => `${name} ${version}`).join(', ')}.`,
    `Install matching versions: npm install ${Object.keys(found)
      .map((name) => `${name}@~${expected}`)
      .join(' ')}`,
  );
}

const minor = (version: string): string => version.split('.').slice(0, 2).join('.');
