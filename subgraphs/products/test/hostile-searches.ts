/** What people, machines and attackers put into a search box: more than 200 texts that no search may fail on. */

const word = 'chair'

/** What means something to SQL, to LIKE, to a tsquery, to a shell, to JSON or to a page. */
const operators = [
  String.raw`' '' " \ \' \\ ; -- /* */ $$ $1 ? ?? % _ %% * ~ & | ! !! && || @@ @ # ( ) (( )) () [ ] { } < > <> = + - ^ , . /`,
  '<-> <2> <-1> <99999> : :: :* :*A :ABCD `',
].flatMap((symbols) => symbols.split(' '))

const injections = [
  "'; DROP TABLE products; --",
  "' OR '1'='1",
  "' UNION SELECT password_hash FROM users --",
  "'; SELECT pg_sleep(10); --",
  "') OR (SELECT pg_sleep(10)) IS NULL --",
  "E'\\x27'",
  'U&"d\\0061t"',
  "to_tsquery('simple', 'a & ')",
  "'a' & !'b' | 'c':*AB <3> 'd'",
  'a & (b | (c & (d | e)))',
  '!(!(!(a)))',
  'a:* & b:* & c:* & d:* & e:* & f:* & g:* & h:*',
  '{"$ne":null}',
  '{{7*7}}',
  '$(reboot)',
  '`reboot`',
  '../../../etc/passwd',
  '%00',
  '%27%20OR%201%3D1',
  '&#39; OR 1=1',
  '<script>alert(1)</script>',
  '\\u0027',
  '\\N',
  'NULL',
  'undefined',
  'true',
  'NaN',
  '__proto__',
  'constructor',
  'toString',
]

/** What text can be made of beside letters. */
const characters = {
  NUL: '\0',
  ...named('control', 0x01, 0x1f),
  delete: '\x7f',
  ...named('C1 control', 0x80, 0x8f),
  'no-break space': '\u00a0',
  'soft hyphen': '\u00ad',
  'combining accents': '\u0301\u0302\u0303',
  'zero width space': '\u200b',
  'zero width joiner': '\u200d',
  'left-to-right mark': '\u200e',
  'right-to-left override': '\u202e',
  'line separator': '\u2028',
  'word joiner': '\u2060',
  isolates: '\u2066\u2069',
  'byte order mark': '\ufeff',
  'replacement character': '\ufffd',
  'not a character': '\uffff',
  'private use': '\ue000',
  'first half': '\ud83d',
  'second half': '\ude00',
  'halves the wrong way round': '\ude00\ud83d',
  'variation selector': '\ufe0f',
  'tag characters': '\u{e0041}\u{e007f}',
  'last code point': '\u{10ffff}',
}

const languages = [
  'Ödegård Straße STRASSE İstanbul ıI ﬁne Ångström e\u0301te\u0301 ǅ ŉ ᾳ Σίσυφος Горький ½ Ⅷ 𝒄𝒉𝒂𝒊𝒓 ℵ ٣٤ １２３',
  'כִּסֵּא كرسي کرسی कुर्सी เก้าอี้ ເກົ້າອີ້ အထိုင် 椅子 山田の椅子 의자 いす イス ｲｽ 々 𠮷野家',
  '😀 👩‍👩‍👧‍👦 🇩🇪 👍🏽 chair🪑stool Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢',
].flatMap((words) => words.split(' '))

const long = [
  'x'.repeat(10_240),
  `${word} `.repeat(2_000),
  Array.from({ length: 2_000 }, (_, n) => `word${n}`).join(' '),
  "'".repeat(10_240),
  '('.repeat(10_240),
  '!'.repeat(10_240),
  '\\'.repeat(10_240),
  '%'.repeat(10_240),
  ' '.repeat(10_240),
  '\0'.repeat(10_240),
  '椅'.repeat(10_240),
  '😀'.repeat(5_120),
  `a${'\u0301'.repeat(10_240)}`,
  'a b c d e f g h '.repeat(640),
  '\ud83d'.repeat(10_240),
  'ﷺ'.repeat(3_000),
]

/** What is no error, and finds much: what a search costs at the most. */
const costly = [
  ...['a', 'b', 's', '1', 'é', '椅', 'a b c d e f g h', '1 2 3 4 5 6 7 8', 'aa bb cc dd ee ff gg hh'],
  'folding oak chair brauer made to be repaired',
  'foldign oka chiar bruaer mdae repiared evrey prat',
  'abcdefghijklmnopqrstuvwxyzabcdef '.repeat(8),
]

export const hostileSearches: readonly string[] = [
  ...new Set([
    ...['', ' ', '\t\n'],
    ...operators.flatMap((operator) => [operator, `${word}${operator}${word}`, `${operator}${word}${operator}`]),
    ...injections,
    ...Object.values(characters).flatMap((character) => [character, `cha${character}ir`]),
    ...languages,
    ...long,
    ...costly,
  ]),
]

function named(what: string, from: number, to: number): Record<string, string> {
  const codes = Array.from({ length: to - from + 1 }, (_, index) => from + index)
  return Object.fromEntries(codes.map((code) => [`${what} ${code}`, String.fromCharCode(code)]))
}
