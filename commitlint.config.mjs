/** First words of subjects that describe the author's work instead of the change of the code. */
const VAGUE = new Set([
  'let',
  'tell',
  'look',
  'make sure',
  'update',
  'change',
  'improve',
  'handle',
  'tweak',
  'misc',
  'wip',
]);
const MAX_SUBJECT = 70;
const MAX_BODY_LINE = 400;

/** @param {{ subject: string | null }} commit */
function isImperative({ subject }) {
  const [verb = ''] = (subject ?? '').toLowerCase().split(' ');
  const isOtherForm =
    /(?:ed|ing)$/.test(verb) && !/^(?:need|feed|embed|speed|seed|shed|bring|string|ping|ring)$/.test(verb);
  return [!isOtherForm, `subject begins with a verb in the imperative, not "${verb}"`];
}

/** @param {{ subject: string | null }} commit */
function namesTheChange({ subject }) {
  const [verb = ''] = (subject ?? '').toLowerCase().split(' ');
  return [!VAGUE.has(verb), `subject says what changed: "${verb}" could begin any commit`];
}

/**
 * Checks every commit since this file changed last.
 *
 * Subjects have no type: "Batch parked-row writes per partition".
 * CONTRIBUTING.md, "Commits", says why.
 */
export default {
  parserPreset: { parserOpts: { headerPattern: /^(.*)$/, headerCorrespondence: ['subject'] } },
  plugins: [{ rules: { 'subject-imperative': isImperative, 'subject-names-change': namesTheChange } }],
  rules: {
    'header-max-length': [2, 'always', MAX_SUBJECT],
    'subject-empty': [2, 'never'],
    'subject-case': [2, 'always', 'sentence-case'],
    'subject-full-stop': [2, 'never', '.'],
    'subject-imperative': [2, 'always'],
    'subject-names-change': [2, 'always'],
    'body-empty': [2, 'never'],
    'body-leading-blank': [2, 'always'],
    'body-max-line-length': [2, 'always', MAX_BODY_LINE],
  },
};
