/** Updates tables in place, so that focus and opened details survive. Inserts text only as text, never as HTML. */

/** Creates an element with classes and text. */
export function element(name, className = '', text = '') {
  const made = document.createElement(name);
  if (className !== '') made.className = className;
  if (text !== '') made.textContent = text;
  return made;
}

/** Sets the text only if it differs, so that selections survive and screen readers stay quiet. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Creates a cell with the name of its column, for narrow screens. */
export function cell(column, className = '') {
  const made = element('td', className);
  made.dataset.column = column;
  return made;
}

/**
 * Returns a function that gives `body` one row per item, in order. `create(item)` returns a row and a function that shows an
 * item in it.
 */
export function keyedRows(body, keyOf, create) {
  const rows = new Map();
  return (items) => {
    const wanted = new Set(items.map(keyOf));
    for (const [key, { row }] of rows) {
      if (wanted.has(key)) continue;
      row.remove();
      rows.delete(key);
    }
    items.forEach((item, index) => {
      const key = keyOf(item);
      const known = rows.get(key) ?? create(item);
      rows.set(key, known);
      known.show(item);
      if (body.children[index] !== known.row) body.insertBefore(known.row, body.children[index] ?? null);
    });
  };
}
