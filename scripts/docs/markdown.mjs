/** First line of every document that is written by npm run docs. */
const NOTICE = '<!-- Written by `npm run docs`. A test fails when it is stale. Do not edit. -->';

/**
 * @param {string} title
 * @param {string[]} parts
 */
export function page(title, parts) {
  return `${[`# ${title}`, NOTICE, ...parts].join('\n\n')}\n`;
}

/**
 * @param {readonly string[]} titles
 * @param {readonly (readonly string[])[]} rows
 */
export function table(titles, rows) {
  const line = (/** @type {readonly string[]} */ cells) => `| ${cells.map(escaped).join(' | ')} |`;
  return [line(titles), line(titles.map(() => '---')), ...rows.map(line)].join('\n');
}

/** @param {string} text */
export function code(text) {
  return `\`${text}\``;
}

/** @param {string} cell */
function escaped(cell) {
  return cell.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
