// 各页面共用的中文文案。内容是 JSON，便于其他程序读取。
export default {
  "page.settings": "设置",
  "page.docs": "接口文档",
  "page.close": "关闭",
  "error.away": "网关没有响应，请检查网络后重试",
  "error.status": "网关返回 HTTP {status}，请稍后重试",
  "unit.seconds": "{count} 秒",
  "unit.minutes": "{count} 分钟",
  "unit.hours": "{count} 小时",
  "theme.auto": "主题：跟随系统",
  "theme.light": "主题：浅色",
  "theme.dark": "主题：深色",
  "key.label": "密钥",
  "key.use": "使用",
  "key.show": "显示密钥",
  "key.hide": "隐藏密钥",
  "key.remember": "在此设备上记住"
};
