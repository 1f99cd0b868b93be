import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { defaultClientConditions, defineConfig, type Plugin } from 'vite';

/** The page loads nothing, and the browser sees to it. */
const POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:";

/** Moves script and style sheet into the page: browsers load neither modules nor data from `file://`. */
const oneFile = (): Plugin => ({
  name: 'one-file',
  enforce: 'post',
  apply: 'build',
  generateBundle(_, files) {
    const html = files['index.html'];
    if (html?.type !== 'asset') throw new Error('The build has no index.html.');
    let text = String(html.source);
    for (const [name, file] of Object.entries(files)) {
      if (file === html) continue;
      // An end tag inside the script would end the element.
      const [tag, content] =
        file.type === 'chunk'
          ? [
              /<script[^>]*><\/script>/,
              `<script type="module">${file.code.replaceAll('</script', '<\\/script')}</script>`,
            ]
          : [/<link rel="stylesheet"[^>]*>/, `<style>${file.source}</style>`];
      if (!text.match(tag)?.[0].includes(name)) throw new Error(`The page does not name ${name}.`);
      text = text.replace(tag, () => content);
      delete files[name];
    }
    const policy = `<meta http-equiv="Content-Security-Policy" content="${POLICY}">`;
    html.source = text.replace('<head>', () => `<head>${policy}`);
  },
  writeBundle({ dir = 'dist' }) {
    console.log(`Open in a browser: ${pathToFileURL(join(dir, 'index.html'))}`);
  },
});

export default defineConfig(({ command }) => ({
  // Packages from source, so that no build is needed. Leave this out where the packages are installed.
  resolve: { conditions: ['@cert/source', ...defaultClientConditions] },
  assetsInclude: ['**/*.safetensors', '**/*.idx'],
  plugins: [oneFile()],
  server: { host: '127.0.0.1' },
  build: { target: 'es2022', modulePreload: false, chunkSizeWarningLimit: 4000, assetsInlineLimit: 0 },
  // A build prints where the page is.
  logLevel: command === 'build' ? 'warn' : 'info',
}));
