import type { DataNews } from '../../src/protocol/window.ts'
import { EventReader } from '../transport/sse.ts'

/** One question and how its answer comes along. Times in ms on one clock. */
export type Chat = {
  is: 'waiting' | 'answering' | 'done' | 'refused' | 'cut' | 'stopped'
  text: string
  /** Reasoning that some models show before they answer. */
  thoughts: string
  sentAt: number
  firstAt: number | null
  endedAt: number | null
  status: number | null
  queueMs: number | null
  backend: string | null
  requestId: string | null
  usage: { prompt: number; completion: number } | null
  finish: string | null
  /** Why it was refused or cut. */
  problem: { code: string; message: string } | null
}

export function newChat(now: number): Chat {
  return {
    is: 'waiting',
    text: '',
    thoughts: '',
    sentAt: now,
    firstAt: null,
    endedAt: null,
    status: null,
    queueMs: null,
    backend: null,
    requestId: null,
    usage: null,
    finish: null,
    problem: null,
  }
}

/** Takes the pieces of a streamed chat completion, in order. */
export class ChatReader {
  private readonly events = new EventReader()
  private refused = ''

  take(chat: Chat, news: DataNews, now: number): Chat {
    switch (news.is) {
      case 'head': {
        const queueMs = news.headers['x-lexora-queue-ms']
        return {
          ...chat,
          status: news.status,
          queueMs: queueMs === undefined ? null : Number(queueMs),
          backend: news.headers['x-lexora-backend'] ?? null,
          requestId: news.headers['x-request-id'] ?? null,
        }
      }
      case 'chunk':
        if (chat.status !== 200) {
          this.refused += news.text
          return chat
        }
        return this.events.push(news.text).reduce((before, { data }) => readEvent(before, data, now), chat)
      case 'end':
        return this.end(chat, now)
      case 'failed':
        return { ...chat, is: 'cut', endedAt: now, problem: { code: '', message: news.reason } }
    }
  }

  private end(chat: Chat, now: number): Chat {
    if (chat.status !== 200) return { ...chat, is: 'refused', endedAt: now, problem: problemOf(this.refused) }
    if (chat.is === 'cut') return chat
    return { ...chat, is: 'done', endedAt: now }
  }
}

type Event = {
  choices?: {
    delta?: { content?: string | null; reasoning_content?: string | null; reasoning?: string | null }
    finish_reason?: string | null
  }[]
  usage?: { prompt_tokens?: number; completion_tokens?: number } | null
  error?: unknown
}

function readEvent(chat: Chat, data: string, now: number): Chat {
  if (data === '[DONE]') return chat
  let event: Event
  try {
    event = JSON.parse(data) as Event
  } catch {
    return chat
  }
  if (event.error !== undefined) return { ...chat, is: 'cut', endedAt: now, problem: problemOf(data) }
  const [choice] = event.choices ?? []
  const text = choice?.delta?.content ?? ''
  const thoughts = choice?.delta?.reasoning_content ?? choice?.delta?.reasoning ?? ''
  const began = text !== '' || thoughts !== ''
  const { prompt_tokens: prompt, completion_tokens: completion } = event.usage ?? {}
  return {
    ...chat,
    is: began ? 'answering' : chat.is,
    text: chat.text + text,
    thoughts: chat.thoughts + thoughts,
    firstAt: chat.firstAt ?? (began ? now : null),
    usage: completion === undefined ? chat.usage : { prompt: prompt ?? 0, completion },
    finish: choice?.finish_reason ?? chat.finish,
  }
}

function problemOf(body: string): { code: string; message: string } {
  try {
    const { error } = JSON.parse(body) as { error?: { code?: string; message?: string } }
    return { code: error?.code ?? '', message: error?.message ?? body.slice(0, 300) }
  } catch {
    return { code: '', message: body.slice(0, 300) }
  }
}

/** Tokens a second after the first one; null where too little came to tell. */
export function speedOf({ usage, firstAt, endedAt }: Chat): number | null {
  if (usage === null || firstAt === null || endedAt === null || usage.completion < 2) return null
  const seconds = (endedAt - firstAt) / 1000
  return seconds <= 0 ? null : (usage.completion - 1) / seconds
}
