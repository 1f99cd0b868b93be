import type { Chart } from '../charts/chart.js';
import { type Html, html } from '../html.js';

/** A section, and the figures in it that the page draws. */
export interface Drawn {
  readonly section: Html;
  readonly charts: readonly Chart[];
}

/** A figure with its controls, its caption and its table. The script of the page draws it. */
export const figure = (chart: Chart): Html => {
  const { id, title, caption, legend, table, cursor } = chart;
  return html`<figure id="figure-${id}" class="chart" aria-label="${title}">
<p class="title">${title}</p>
${
  legend.length === 0
    ? null
    : html`<div class="legend" role="group" aria-label="Lines of ${title}">${legend.map(
        ({ name, color, dash }) =>
          html`<button type="button" aria-pressed="true" data-series="${name}"><span class="dash dash-${dash}" style="--color:var(--series-${color})" aria-hidden="true"></span>${name}</button>`,
      )}</div>`
}
<div class="plot" data-chart="${id}"${cursor === null ? null : html` tabindex="0" role="application" aria-roledescription="chart" aria-label="${title}. ${caption} Arrow keys read the values."`}></div>
<output class="readout" aria-live="polite"></output>
<figcaption>${caption}</figcaption>
<details class="data"><summary>Values</summary><div class="scroll" tabindex="0" role="region" aria-label="Values of ${title}"><table>
<thead><tr>${table.head.map((name) => html`<th scope="col" class="n">${name}</th>`)}</tr></thead>
<tbody>${table.rows.map(([first = '', ...rest]) => html`<tr><th scope="row" class="n">${first}</th>${rest.map((value) => html`<td class="n">${value}</td>`)}</tr>`)}</tbody>
</table></div></details>
</figure>`;
};
