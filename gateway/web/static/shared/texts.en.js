// What every page says, in English. JSON, so that other programs can read it.
export default {
  "page.settings": "Settings",
  "page.docs": "API reference",
  "page.close": "Close",
  "error.away": "The gateway did not respond: check the connection, then try again",
  "error.status": "The gateway answered with HTTP status {status}: try again in a moment",
  "unit.seconds": "{count} s",
  "unit.minutes": "{count} min",
  "unit.hours": "{count} h",
  "theme.auto": "Theme: as the system",
  "theme.light": "Theme: light",
  "theme.dark": "Theme: dark",
  "key.label": "Key",
  "key.use": "Use",
  "key.show": "Show the key",
  "key.hide": "Hide the key",
  "key.remember": "Remember on this device"
};
