"""The look of a decision's page: one sheet for screens of any width, light or dark, and for paper."""

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #ffffff; --card: #f6f7f9; --line: #d9dde3; --ink: #1b2430; --soft: #566273;
  --good: #12693a; --good-bg: #e5f5ec; --bad: #a4161a; --bad-bg: #fdeaea; --wait: #7a4b00; --wait-bg: #fdf3dd;
  --mark: #5b2a86; --mark-bg: #f1e6fb; --link: #0b57a4;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #12161c; --card: #1a2029; --line: #323b48; --ink: #e6eaf0; --soft: #a0acbc;
    --good: #7fd6a3; --good-bg: #10301f; --bad: #ff9c9c; --bad-bg: #3b1618; --wait: #f2c879; --wait-bg: #352708;
    --mark: #d9b8f7; --mark-bg: #34204a; --link: #8fc1f5;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink); overflow-wrap: anywhere;
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", Arial, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 1.5rem 1.25rem 4rem; }
h1, h2, h3, p, ul, ol, dl, dd { margin: 0; }
h1 { font-size: 1.7rem; line-height: 1.25; font-weight: 650; }
h1 .to { color: var(--soft); font-weight: 400; padding: 0 .3rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .25rem; line-height: 1.3; }
h3 { font-size: 1rem; line-height: 1.4; }
a { color: var(--link); }
code, .name, .digest, pre { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
code, .name, .digest { font-size: .88em; }
.name { unicode-bidi: isolate; }
.hidden { color: var(--mark); background: var(--mark-bg); border-radius: .2rem; padding: 0 .2rem; margin: 0 .1rem;
  font: 600 .85em ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.lead { color: var(--soft); margin: 0 0 .9rem; max-width: 46rem; }
.soft { color: var(--soft); }
.over { color: var(--soft); font-size: .85rem; letter-spacing: .02em; margin-bottom: .35rem; }
.verdict { display: flex; gap: .9rem; align-items: flex-start; margin: 1.1rem 0; padding: 1rem 1.1rem;
  border-radius: .6rem; border-left: .4rem solid; }
.verdict .sign { font-size: 1.5rem; line-height: 1.3; font-weight: 700; }
.verdict strong { display: block; font-size: 1.25rem; line-height: 1.3; }
.verdict p { color: var(--ink); margin-top: .2rem; }
.good { color: var(--good); } .bad { color: var(--bad); } .wait { color: var(--wait); }
.verdict.good { background: var(--good-bg); } .verdict.bad { background: var(--bad-bg); }
.verdict.wait { background: var(--wait-bg); }
.note { border: 1px solid var(--line); border-radius: .6rem; padding: .7rem 1rem; margin: 0 0 1rem; }
.glance { display: grid; grid-template-columns: repeat(4, 1fr); gap: .75rem; margin: 1rem 0 0; }
.glance div { background: var(--card); border-radius: .6rem; padding: .7rem .9rem; }
.glance dt { color: var(--soft); font-size: .82rem; }
.glance dd { font-weight: 600; line-height: 1.35; }
.card { border: 1px solid var(--line); border-radius: .6rem; padding: .9rem 1.1rem; margin: .75rem 0;
  break-inside: avoid; }
.card.bad { border-left: .3rem solid var(--bad); color: inherit; }
.card.wait { border-left: .3rem solid var(--wait); color: inherit; }
.card h3 { display: flex; flex-wrap: wrap; gap: .15rem .6rem; align-items: baseline; }
.code { color: var(--soft); font-weight: 400; font-size: .85rem; }
.measure { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: .55rem 0; }
.measure dt { color: var(--soft); }
.way { background: var(--card); border-radius: .45rem; padding: .55rem .8rem; margin-top: .55rem; }
.way b { display: block; font-size: .85rem; }
pre { margin: .4rem 0 0; padding: .55rem .8rem; background: var(--card); border: 1px solid var(--line);
  border-radius: .45rem; white-space: pre-wrap; font-size: .85rem; line-height: 1.5; }
.way pre { background: var(--paper); }
.findings { padding-left: 1.1rem; margin-top: .4rem; }
.findings li { margin: .3rem 0; }
.sev { font-weight: 650; }
ol.todo { padding-left: 1.3rem; } ol.todo li { margin: .6rem 0; }
details { margin: .5rem 0; }
summary { cursor: pointer; color: var(--link); }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; font-size: .92rem; line-height: 1.45; }
th { text-align: left; color: var(--soft); font-weight: 500; font-size: .82rem; }
th, td { padding: .4rem .8rem .4rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th:last-child, td:last-child { padding-right: 0; }
tr { break-inside: avoid; }
tr:target { background: var(--mark-bg); }
.facts { display: grid; grid-template-columns: minmax(9rem, max-content) 1fr; gap: .3rem 1.2rem; }
.facts dt { color: var(--soft); } .facts dd span { display: block; font-size: .88rem; }
footer { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--line); color: var(--soft);
  font-size: .88rem; }
@media (max-width: 46rem) {
  main { padding: 1rem .9rem 3rem; }
  h1 { font-size: 1.35rem; }
  .glance { grid-template-columns: 1fr 1fr; }
  .facts { grid-template-columns: 1fr; }
  .facts dd { margin-bottom: .35rem; }
  table, thead, tbody, tr, td { display: block; }
  thead { display: none; }
  tr { border-bottom: 1px solid var(--line); padding: .5rem 0; }
  td { border: 0; padding: .08rem 0; display: grid; grid-template-columns: 7.5rem 1fr; gap: .6rem; }
  td::before { content: attr(data-l); color: var(--soft); font-size: .82rem; }
}
@media print {
  :root { color-scheme: light; --paper: #ffffff; --card: #ffffff; --line: #bbbbbb; --ink: #000000; --soft: #444444;
    --good: #0b5a2e; --good-bg: #ffffff; --bad: #8c0f13; --bad-bg: #ffffff; --wait: #6b4200; --wait-bg: #ffffff;
    --mark: #5b2a86; --mark-bg: #ffffff; --link: #000000; }
  body { font-size: 10.5pt; }
  main { max-width: none; padding: 0; }
  .verdict { border: 1px solid var(--line); border-left: .4rem solid; }
  details::details-content { content-visibility: visible; block-size: auto; }
}
"""
