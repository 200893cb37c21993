/** Tables whose rows stay when the data changes, so that what is focused or opened stays so. Text is only ever text. */

/** An element with classes and text. */
export function element(name, className = '', text = '') {
  const made = document.createElement(name);
  if (className !== '') made.className = className;
  if (text !== '') made.textContent = text;
  return made;
}

/** Changes the text only if it differs, so that selections live and screen readers stay quiet. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** A cell that knows the name of its column, for narrow screens. */
export function cell(column, className = '') {
  const made = element('td', className);
  made.dataset.column = column;
  return made;
}

/**
 * Makes `body` hold one row an item, in order. `create(item)` returns the row and a function that shows an item in it.
 * Returns the function that does this.
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
