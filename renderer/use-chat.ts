import { useCallback, useEffect, useRef, useState } from 'react'
import { useWorld } from './stores.ts'
import { type Chat, ChatReader, newChat } from './view-models/chat.ts'

export type Ask = {
  model: string
  messages: readonly { role: string; content: string }[]
  parameters?: Readonly<Record<string, number>>
  user?: string
  key?: string
}

/** One request to the data plane at a time, drawn at most once a frame. It ends with the component. */
export function useChat(): { chat: Chat | null; send: (ask: Ask) => void; stop: () => void; clear: () => void } {
  const { client } = useWorld()
  const [chat, setChat] = useState<Chat | null>(null)
  const end = useRef<(() => void) | null>(null)
  const send = useCallback(
    ({ model, messages, parameters = {}, user = '', key = '' }: Ask) => {
      end.current?.()
      const reader = new ChatReader()
      let [current, frame] = [newChat(performance.now()), 0]
      const draw = (): void => {
        frame = 0
        setChat(current)
      }
      setChat(current)
      const body = JSON.stringify({
        model,
        messages,
        ...parameters,
        stream: true,
        stream_options: { include_usage: true },
      })
      const headers: Record<string, string> = {
        'x-lexora-app': 'try-it',
        ...(user === '' ? {} : { 'x-lexora-user': user }),
      }
      const cut = client.send({ path: '/v1/chat/completions', body, headers, key: key === '' ? null : key }, (news) => {
        current = reader.take(current, news, performance.now())
        if (frame === 0) frame = requestAnimationFrame(draw)
      })
      end.current = () => {
        cut()
        cancelAnimationFrame(frame)
        frame = -1
        if (current.endedAt === null) setChat({ ...current, is: 'stopped', endedAt: performance.now() })
      }
    },
    [client],
  )
  const stop = useCallback(() => {
    end.current?.()
    end.current = null
  }, [])
  useEffect(() => stop, [stop])
  return { chat, send, stop, clear: () => setChat(null) }
}
