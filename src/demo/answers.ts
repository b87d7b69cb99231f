type Language = 'en' | 'ja' | 'ko'

/** The language of a text, by its script: kana or Han is Japanese, Hangul is Korean. */
function languageOf(text: string): Language {
  if (/\p{Script=Hangul}/u.test(text)) return 'ko'
  if (/[\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Han}]/u.test(text)) return 'ja'
  return 'en'
}

type Wording = { demo: string; asked: (question: string) => string; connect: string; end: string }

const CONFIG = '```yaml\n# lexora_config.yaml\nvllm:\n  url: http://localhost:8000\n```'
const VARIABLE = '`LEXORA_VLLM__URL=http://localhost:8000`'

const WORDINGS: Record<Language, Wording> = {
  en: {
    demo: "This is Lexora's demo engine, not a model: the words you are reading were written in advance, so that you can try everything around a model.",
    asked: (question) => `You asked: “${question}”`,
    connect: `To connect a real one, start vLLM and tell Lexora where it is:\n\n${CONFIG}\n\nor start Lexora with ${VARIABLE}.`,
    end: 'This address, and the program that has just asked, stay as they are.',
  },
  ja: {
    demo: 'これは Lexora のデモエンジンで、モデルではありません。この文章はあらかじめ用意されたもので、モデルの周りのすべてを試していただくためのものです。',
    asked: (question) => `ご質問：「${question}」`,
    connect: `本物のモデルをつなぐには、vLLM を起動し、その場所を Lexora に伝えてください。\n\n${CONFIG}\n\nまたは ${VARIABLE} を付けて Lexora を起動します。`,
    end: 'このアドレスも、いま質問したプログラムも、そのまま使えます。',
  },
  ko: {
    demo: '이것은 Lexora의 데모 엔진이며 모델이 아닙니다. 지금 읽고 계신 문장은 미리 준비된 것으로, 모델을 둘러싼 모든 것을 시험해 보실 수 있게 합니다.',
    asked: (question) => `질문: “${question}”`,
    connect: `실제 모델을 연결하려면 vLLM을 시작하고 그 주소를 Lexora에 알려 주세요.\n\n${CONFIG}\n\n또는 ${VARIABLE} 를 지정하여 Lexora를 시작하세요.`,
    end: '이 주소도, 방금 질문한 프로그램도 그대로 쓸 수 있습니다.',
  },
}

/** What the demo engine says to a question, in its language. */
export function answerTo(question: string): string {
  const { demo, asked, connect, end } = WORDINGS[languageOf(question)]
  return [demo, ...(question === '' ? [] : [asked(shortened(question))]), connect, end].join('\n\n')
}

/** The same as JSON, for those who asked for JSON. */
export function jsonAnswerTo(question: string): string {
  const { demo, connect } = WORDINGS[languageOf(question)]
  return JSON.stringify({
    engine: 'lexora-demo',
    is_a_model: false,
    answer: demo,
    you_asked: shortened(question),
    connect,
  })
}

const MOST_ECHOED = 200

function shortened(question: string): string {
  const characters = [...question.trim()]
  return characters.length <= MOST_ECHOED ? characters.join('') : `${characters.slice(0, MOST_ECHOED).join('')}…`
}

/** The pieces in which an answer is streamed: words, or two characters where a script has no spaces. */
export function piecesOf(text: string): string[] {
  return (
    text.match(
      /\s*(?:[\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Han}]{1,2}|[^\s\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Han}]+)|\s+$/gu,
    ) ?? []
  )
}
