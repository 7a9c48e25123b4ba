// The buttons in the header that every page has: theme, language, documentation. Its texts are those of all pages.

import { find, icon, setText } from "./dom.js";
import { addTexts, language, languageChanged, setLanguage, t } from "./i18n.js";
import en from "./texts.en.js";
import zh from "./texts.zh.js";
import { THEMES, setTheme, theme } from "./theme.js";

addTexts("en", en);
addTexts("zh", zh);

const THEME_ICONS = { auto: "auto", light: "sun", dark: "moon" };

export function mountHeader() {
  const themeButton = find("#theme-button");
  const showTheme = () => {
    const names = { auto: t("theme.auto"), light: t("theme.light"), dark: t("theme.dark") };
    themeButton.replaceChildren(icon(THEME_ICONS[theme()]));
    themeButton.setAttribute("aria-label", names[theme()]);
    themeButton.title = names[theme()];
  };
  themeButton.addEventListener("click", () => {
    setTheme(THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length]);
    showTheme();
  });
  const languageButton = find("#language-button");
  const showLanguage = () => {
    setText(languageButton, language() === "zh" ? "English" : "中文");
    languageButton.lang = language() === "zh" ? "en" : "zh-CN";
  };
  languageButton.addEventListener("click", () => setLanguage(language() === "zh" ? "en" : "zh"));
  find("#docs-link").append(icon("book"));
  languageChanged.on(() => (showTheme(), showLanguage()));
  showTheme();
  showLanguage();
}
