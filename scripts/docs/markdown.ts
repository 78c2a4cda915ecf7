/** First line of every generated document. */
const NOTICE = '<!-- Written by `npm run docs`. A test fails when it is stale. Do not edit. -->';

export function page(title: string, parts: string[]) {
  return `${[`# ${title}`, NOTICE, ...parts].join('\n\n')}\n`;
}

export function table(titles: readonly string[], rows: readonly (readonly string[])[]) {
  const line = (cells: readonly string[]) => `| ${cells.map(escaped).join(' | ')} |`;
  return [line(titles), line(titles.map(() => '---')), ...rows.map(line)].join('\n');
}

export function code(text: string) {
  return `\`${text}\``;
}

function escaped(cell: string) {
  return cell.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
