/** The views of the Requests screen, by what stands in the address. */
export const VIEW_TITLES = {
  live: 'requests.live',
  history: 'requests.history',
  'engine-log': 'requests.engineLog',
  'gateway-log': 'requests.gatewayLog',
} as const
