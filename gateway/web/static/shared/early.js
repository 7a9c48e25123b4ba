// Before the first paint: the theme and language that this browser chose, so that nothing flashes.
(() => {
  const read = (name) => {
    try {
      return localStorage.getItem(`video-gateway.${name}`);
    } catch {
      return null;
    }
  };
  const root = document.documentElement;
  const theme = read("theme");
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  const language = read("language") ?? (/^zh\b/i.test(navigator.language) ? "zh" : "en");
  root.lang = language === "zh" ? "zh-CN" : "en";
})();
