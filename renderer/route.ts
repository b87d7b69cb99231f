import { Store } from './store.ts'

/** `path`: what follows the screen's own name in the address, as `history` in `#/requests/history`. */
export type ScreenProps = { path: string }

export type Route = { screen: string; path: string }

/** Where the window is, as its address says after `#/`. */
export const route = new Store<Route>(read())

addEventListener('hashchange', () => {
  const next = read()
  const { screen, path } = route.get()
  if (next.screen !== screen || next.path !== path) route.set(next)
})

export function goTo(screen: string, path = ''): void {
  location.hash = path === '' ? `/${screen}` : `/${screen}/${path}`
}

function read(): Route {
  const [screen = '', ...path] = location.hash.replace(/^#\/?/, '').split('/')
  return { screen: screen.startsWith('link=') ? '' : screen, path: path.join('/') }
}
