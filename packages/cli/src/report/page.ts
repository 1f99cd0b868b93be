import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { templatePath } from '../templates.js';
import { type Html, html, scriptJson, trusted } from './html.js';
import type { ReportData } from './report-data.js';
import { confusionSection } from './sections/confusion.js';
import { errorsSection } from './sections/errors.js';
import { gallerySection } from './sections/gallery.js';
import { predictionsSection } from './sections/predictions.js';
import { provenanceSection } from './sections/provenance.js';
import { radiiSection } from './sections/radii.js';
import { trainingSection } from './sections/training.js';
import { verdictSection } from './sections/verdict.js';

/** Links to sections; @param predictions the section that has the predictions */
const linksOf = (predictions: readonly [id: string, name: string]) =>
  [
    ['verdict', 'Verdict'],
    ['errors', 'Errors'],
    ['training', 'Training'],
    ['radii', 'Radii'],
    ['gallery', 'Gallery'],
    predictions,
    ['provenance', 'Provenance'],
  ] as const;

/**
 * The report as one HTML file, which loads nothing: scripts, styles, data and pictures are in it, and a content security policy forbids
 * the rest.
 */
export async function reportPage(data: ReportData): Promise<string> {
  const [vega, script, style] = await Promise.all([vegaScript(), template('page.js'), template('page.css')]);
  const { runs } = data;
  const training = trainingSection(runs);
  const radii = radiiSection(runs);
  // All runs of a report are of one kind.
  const regression = runs.some((run) => run.regression !== null);
  const predictions = regression ? predictionsSection(runs) : { section: confusionSection(runs), charts: [] };
  const links = linksOf(regression ? ['predictions', 'Predictions'] : ['confusion', 'Confusion']);
  const charts = [...training.charts, ...radii.charts, ...predictions.charts].map(({ id, spec, cursor }) => ({
    id,
    spec,
    cursor,
  }));
  const title = runs.length === 1 ? `Robustness report: ${runs[0]!.name}` : `Robustness report: ${runs.length} runs`;
  const policy = [
    "default-src 'none'",
    // Vega compiles the expressions of figures.
    `script-src 'unsafe-eval' ${[vega, script].map(sourceHash).join(' ')}`,
    "style-src 'unsafe-inline'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="cert ${data.version}">
<link rel="icon" href="data:,">
<title>${title}</title>
<style>${trusted(style)}</style>
</head>
<body>
<a class="skip" href="#verdict">Skip to the verdict</a>
<header>
<h1>${title}</h1>
<p>${subtitle(data)}</p>
<nav aria-label="Sections"><ul>${links.map(([id, name]) => html`<li><a href="#${id}">${name}</a></li>`)}</ul></nav>
</header>
<main>
${verdictSection(runs)}
${errorsSection(runs)}
${training.section}
${radii.section}
${gallerySection(runs)}
${predictions.section}
${provenanceSection(data)}
</main>
<footer><p>Written by cert ${data.version} on ${data.written.slice(0, 16).replace('T', ' ')} UTC. This file loads nothing from the network.</p></footer>
<noscript><p>Figures are drawn by a script, which is switched off here. The tables below them have the same numbers.</p></noscript>
<script type="application/json" id="charts">${scriptJson(charts)}</script>
<script>${trusted(vega)}</script>
<script>${trusted(script)}</script>
</body>
</html>
`.html;
}

function subtitle({ runs, written }: ReportData): Html {
  const names = new Set(runs.map(({ config }) => `${config.preset}, method ${config.method}`));
  const [first] = runs;
  const states = first !== undefined && runs.length === 1 ? `, seed ${first.config.seed}, ${first.state}` : '';
  return html`${[...names].join('; ')}${states}. ${written.slice(0, 10)}.`;
}

/** What a content security policy knows an inline script by. */
const sourceHash = (script: string): string => `'sha256-${createHash('sha256').update(script).digest('base64')}'`;

/** The script or the style of the page. */
const template = (name: string): Promise<string> => readFile(templatePath(`report/${name}`), 'utf8');

/** The build of Vega for browsers, with its licence, which whoever passes it on must pass on too. */
async function vegaScript(): Promise<string> {
  const build = dirname(createRequire(import.meta.url).resolve('vega/vega-schema.json'));
  const [script, licence] = await Promise.all([
    readFile(join(build, 'vega.min.js'), 'utf8'),
    readFile(join(build, '..', 'LICENSE'), 'utf8'),
  ]);
  return `/*!\nVega (with D3, Copyright Mike Bostock, ISC licence)\n\n${licence.replaceAll('*/', '* /')}*/\n${script}`;
}
