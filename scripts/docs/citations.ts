/** A citation in a comment or a string. */
export interface Citation {
  readonly kind: 'path' | 'rule' | 'adr' | 'section';
  readonly text: string;
  readonly anchor?: string;
}

const COMMENT = /^\s*(?:\/\/|\/?\*+|#)(.*)$/;
const TRAILING = /\s\/\/ (.*)$/;
const STRING_WITH_DOCUMENT = /['"`][^'"`]*\.md\b/;
/** Types, addresses, and files of a running system are no citations. */
const IGNORED =
  /import\([^)]*\)|https?:\S+|`\/[^`]*`|\.posthorn\/\S+|\brun\.json\b|\bNode\.js\b|\S*[…*]\S*|node_modules\/\S+|kafkajs\/\S+/g;
const PATH = /((?:[\w@.-]+\/)*[\w@-][\w@.-]*\.(?:md|ts|mjs|js|json|yml|conf|sql))\b(?:#([\w-]+))?/g;
const RULES = /\brules? (\d+)(?:\(\w\))?(?:(?:,| to| and) (\d+)\b)*/g;
const ADR = /\bADR (\d+)/g;
const SECTION = /\bsection ([\d.]*\d)/g;

/** Comments, and lines with a string that names a document; by line, counted from 1. */
export function commentsOf(code: string): { line: number; text: string }[] {
  return code.split('\n').flatMap((text, index) => {
    const comment =
      COMMENT.exec(text)?.[1] ?? TRAILING.exec(text)?.[1] ?? (STRING_WITH_DOCUMENT.test(text) ? text : undefined);
    return comment === undefined ? [] : [{ line: index + 1, text: comment }];
  });
}

export function citationsOf(comment: string): Citation[] {
  const text = comment.replaceAll(IGNORED, ' ');
  const paths = [...text.matchAll(PATH)].map(
    ([, path = '', anchor]): Citation => ({
      kind: 'path',
      text: path,
      ...(anchor === undefined ? {} : { anchor }),
    }),
  );
  const rules = [...text.matchAll(RULES)].flatMap(([words]) => [...words.matchAll(/\d+/g)].map(([number]) => number));
  const numbered = (kind: Citation['kind'], pattern: RegExp) =>
    [...text.matchAll(pattern)].map(([, number = '']): Citation => ({ kind, text: number }));
  return [
    ...paths,
    ...rules.map((number): Citation => ({ kind: 'rule', text: number })),
    ...numbered('adr', ADR),
    ...numbered('section', SECTION),
  ];
}
