// The script of a report: draws the figures, and moves their cursors. Runs in a browser; `vega` is the script before it.
(() => {
  const charts = JSON.parse(document.getElementById('charts').textContent);
  /** Figures by the group whose cursors move together. */
  const groups = new Map();

  for (const { id, spec, cursor } of charts) {
    const plot = document.querySelector(`[data-chart="${id}"]`);
    const figure = plot.closest('figure');
    const view = new vega.View(vega.parse(spec), { renderer: 'svg', container: plot, hover: false });
    const chart = {
      view,
      plot,
      readout: figure.querySelector('.readout'),
      places: cursor === null ? [] : cursor.places,
    };
    fit(chart);
    if (cursor !== null) follow(chart, cursor.group);
    switchSeries(chart, figure);
  }

  // Paper has all that a click would show, but for the tables of figures.
  const closed = [...document.querySelectorAll('details:not(.data, [open])')];
  addEventListener('beforeprint', () => {
    for (const each of closed) each.open = true;
  });
  addEventListener('afterprint', () => {
    for (const each of closed) each.open = false;
  });

  /** Draws in the width that there is, now and when it changes. */
  function fit({ view, plot }) {
    let width = 0;
    const draw = () => {
      const next = Math.floor(plot.clientWidth);
      if (next === width || next === 0) return;
      width = next;
      view.width(width).resize().run();
    };
    draw();
    new ResizeObserver(() => requestAnimationFrame(draw)).observe(plot);
    // Paper is narrower than the screen; the style scales the drawing.
    const svg = plot.querySelector('svg');
    if (svg !== null) svg.setAttribute('preserveAspectRatio', 'xMinYMin meet');
  }

  /** Moves the cursor with the pointer and with keys. */
  function follow(chart, group) {
    const { view, plot, places } = chart;
    const members = groups.get(group) ?? [];
    groups.set(group, [...members, chart]);
    const all = () => groups.get(group);
    view.addSignalListener('pointer', (_, x) => {
      for (const each of all()) show(each, x === null ? null : nearest(each.places, x));
    });
    plot.addEventListener('keydown', (event) => {
      const next = keyed(event.key, chart.index ?? null, places.length);
      if (next === undefined) return;
      event.preventDefault();
      const place = next === null ? null : places[next].x;
      for (const each of all()) show(each, place === null ? null : nearest(each.places, place));
    });
    plot.addEventListener('blur', () => {
      for (const each of all()) show(each, null);
    });
  }

  /** The place that a key leads to; null for none, undefined for a key without a meaning. */
  function keyed(key, index, count) {
    if (count === 0) return undefined;
    if (key === 'ArrowRight') return Math.min(count - 1, index === null ? 0 : index + 1);
    if (key === 'ArrowLeft') return Math.max(0, index === null ? count - 1 : index - 1);
    if (key === 'Home') return 0;
    if (key === 'End') return count - 1;
    return key === 'Escape' ? null : undefined;
  }

  function nearest(places, x) {
    let best = null;
    places.forEach((place, i) => {
      if (best === null || Math.abs(place.x - x) < Math.abs(places[best].x - x)) best = i;
    });
    return best;
  }

  /** Shows the cursor of a figure at a place, or none. */
  function show(chart, index) {
    if ((chart.index ?? null) === index) return;
    chart.index = index;
    chart.readout.textContent = index === null ? '' : chart.places[index].text;
    chart.view.signal('at', index === null ? null : chart.places[index].x).runAsync();
  }

  /** Lines are switched off and on by the buttons of the legend. */
  function switchSeries({ view }, figure) {
    const buttons = [...figure.querySelectorAll('.legend button')];
    for (const button of buttons) {
      button.addEventListener('click', () => {
        button.setAttribute('aria-pressed', String(button.getAttribute('aria-pressed') !== 'true'));
        const hidden = buttons.filter((each) => each.getAttribute('aria-pressed') !== 'true');
        view
          .signal(
            'hidden',
            hidden.map((each) => each.dataset.series),
          )
          .runAsync();
      });
    }
  }
})();
