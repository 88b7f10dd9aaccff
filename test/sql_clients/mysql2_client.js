// mysql2 against MILLRACE_MYSQL: text and binary statements, types, errors, reconnects of users.
const assert = require('node:assert');
const mysql = require('mysql2/promise');

async function main() {
  const [host, port] = process.env.MILLRACE_MYSQL.split(':');
  const options = { host, port: Number(port), user: 'root', database: process.env.DB };
  const connection = await mysql.createConnection(options);

  const [text] = await connection.query('SELECT * FROM t ORDER BY id');
  const [binary] = await connection.execute('SELECT * FROM t ORDER BY id');
  assert.deepStrictEqual(text, binary);
  assert.strictEqual(text[0].price, '10.50');
  assert.strictEqual(text[0].rate, 0.25);
  assert.ok(text[0].at instanceof Date && text[0].at.getMilliseconds() === 500);
  assert.deepStrictEqual(Object.values(text[1]), [2, null, null, null, null, null, null, null]);

  const [rows] = await connection.execute(
    'SELECT id, ? AS real_number, ? AS quoted, ? AS nothing, ? AS bytes FROM t WHERE id = ? OR name = ? LIMIT ?',
    [1.5, "it's \\ \"", null, Buffer.from('ab'), 1, 'ann', '1']);
  assert.deepStrictEqual(rows, [{ id: 1, real_number: '1.5', quoted: "it's \\ \"", nothing: null, bytes: 'ab' }].map(
    (row) => ({ ...row, real_number: rows[0].real_number })));
  assert.strictEqual(Number(rows[0].real_number), 1.5);

  const [inserted] = await connection.execute('INSERT INTO t (id, name) VALUES (?, ?)', [3, 'eve']);
  assert.strictEqual(inserted.affectedRows, 1);
  const statement = await connection.prepare('SELECT name FROM t WHERE id = ?');
  for (const [id, name] of [[1, 'ann'], [3, 'eve'], [9, undefined]]) {
    const [found] = await statement.execute([id]);
    assert.strictEqual(found[0]?.name, name);
  }
  await statement.close();

  await assert.rejects(connection.execute('SELECT * FROM missing'), { code: 'ER_NO_SUCH_TABLE', errno: 1146 });
  await assert.rejects(connection.query('SELEC 1'), { code: 'ER_PARSE_ERROR', errno: 1064 });
  await assert.rejects(mysql.createConnection({ ...options, password: 'x' }), { code: 'ER_ACCESS_DENIED_ERROR' });

  await connection.ping();
  await connection.changeUser({ user: 'root', database: process.env.DB });
  const [[{ db }]] = await connection.query('SELECT DATABASE() AS db');
  assert.strictEqual(db, process.env.DB);
  await connection.end();

  const pool = mysql.createPool({ ...options, connectionLimit: 8 });
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, i) => pool.execute('SELECT ? + 1 AS n', [i]).then(([[row]]) => Number(row.n))));
  assert.deepStrictEqual(answers, Array.from({ length: 200 }, (_, i) => i + 1));
  await pool.end();
  console.log('all good');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
