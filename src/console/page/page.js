'use strict';
// One poll a second of /api/v1/status; rates are differences between two polls.
const $ = (id) => document.getElementById(id);
const number = (n) => Math.round(n).toLocaleString('en-US');

function bytes(n) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let i = 0;
  while (n >= 1024 && i < units.length - 1) { n /= 1024; i++; }
  return `${n.toFixed(n < 10 && i > 0 ? 1 : 0)} ${units[i]}`;
}

let last = null;
function rate(now, pick) {
  if (!last || now.uptime_ms <= last.uptime_ms) return 0;
  return Math.max(0, pick(now) - pick(last)) * 1000 / (now.uptime_ms - last.uptime_ms);
}

function cell(row, text, tag = 'td') {
  const td = document.createElement(tag);
  td.textContent = text === null ? 'NULL' : String(text);
  if (tag === 'td' && text !== null && text !== '' && !Number.isNaN(Number(text))) td.className = 'num';
  row.append(td);
  return td;
}

// Redraws a table and marks the cells whose text changed since the last time.
function draw(table, columns, rows) {
  const before = table.cells || [];
  const body = document.createElement('tbody');
  const head = document.createElement('tr');
  columns.forEach((name) => cell(head, name, 'th'));
  body.append(head);
  rows.forEach((values, r) => {
    const row = document.createElement('tr');
    values.forEach((value, c) => {
      const td = cell(row, value);
      if (before[r] && before[r][c] !== undefined && before[r][c] !== value) td.classList.add('changed');
    });
    body.append(row);
  });
  table.replaceChildren(body);
  table.cells = rows;
}

async function sql(text) {
  const reply = await fetch('/api/v1/sql', {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ sql: text }),
  });
  return reply.json();
}

const sum = (list, pick) => (list || []).reduce((total, item) => total + (pick(item) || 0), 0);
const captured = (s) => sum(s.cdc, (c) => c.rows_captured);
const applied = (s) => sum(s.sql && s.sql.tables, (t) => t.rows_applied);

function show(status) {
  $('state').textContent = status.ready ? 'live' : status.reason || 'starting';
  $('state').className = status.ready ? 'pill ready' : 'pill';
  $('captured-rate').textContent = number(rate(status, captured));
  $('captured-total').textContent = `${number(captured(status))} in all`;
  $('log-rate').textContent = number(rate(status, (s) => s.log.slots_written));
  $('log-detail').textContent = `${number(status.log.slots_written)} WAL slots, ${number(status.log.partitions)} partitions`;
  $('objects').textContent = number(status.bucket.objects);
  $('bucket-detail').textContent = `${bytes(status.bucket.bytes)}, ${number(status.bucket.puts)} PUT`;
  $('applied-rate').textContent = number(rate(status, applied));
  $('applied-total').textContent = `${number(applied(status))} in all`;
  const tables = (status.sql && status.sql.tables) || [];
  const fresh = status.sql ? status.sql.freshness_ms : -1;
  $('freshness').textContent = fresh >= 0 ? number(fresh) : '\u2013';
  $('freshness-detail').textContent = fresh >= 0 ? 'the oldest change of the last batch' : 'nothing applied yet';
  $('mysql').textContent = status.listeners && status.listeners.mysql ? `mysql -h127.0.0.1 -P${status.listeners.mysql.split(':').pop()} -uroot` : '';
  $('version').textContent = `millrace ${status.version}`;
  draw($('tables'), ['table', 'state', 'rows applied', 'lag (records)', 'freshness (ms)', 'errors'],
    tables.map((t) => [t.name, t.state, t.rows_applied, t.lag_records, t.freshness_ms < 0 ? '' : t.freshness_ms, t.errors]));
  last = status;
}

let cards = null;
async function refreshViews(status) {
  const views = status.views || [];
  $('views').hidden = views.length === 0;
  if (!cards && views.length > 0) {
    cards = views.map((view) => {
      const card = document.createElement('div');
      card.className = 'card';
      card.id = `view-${view.name}`;
      const title = document.createElement('h2');
      title.textContent = view.title + ' ';
      const took = document.createElement('small');
      title.append(took);
      const scroll = document.createElement('div');
      scroll.className = 'scroll';
      const table = document.createElement('table');
      scroll.append(table);
      card.append(title, scroll);
      $('views').append(card);
      return { view, table, took };
    });
  }
  for (const card of cards || []) {
    const result = await sql(card.view.sql);
    if (result.error) { card.took.textContent = result.error; continue; }
    draw(card.table, result.columns, result.rows);
    card.took.textContent = `${card.view.name}, ${result.elapsed_ms.toFixed(1)} ms`;
  }
}

async function poll() {
  try {
    const status = await (await fetch('/api/v1/status')).json();
    show(status);
    await refreshViews(status);
    if ($('repeat').checked) await runSql();
  } catch (error) {
    $('state').textContent = 'not reachable';
    $('state').className = 'pill down';
  }
  setTimeout(poll, 1000);
}

async function runSql() {
  const result = await sql($('sql').value);
  $('sql-error').hidden = !result.error;
  if (result.error) { $('sql-error').textContent = result.error; return; }
  draw($('sql-result'), result.columns, result.rows);
  $('sql-time').textContent = `${result.rows.length} rows in ${result.elapsed_ms.toFixed(1)} ms`;
}

$('sql-form').addEventListener('submit', (event) => { event.preventDefault(); runSql(); });
$('sql').addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) { event.preventDefault(); runSql(); }
});
poll();
