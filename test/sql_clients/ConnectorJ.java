// MySQL Connector/J against a running server: metadata, statements prepared by the client and by the server.
// java -cp mysql-connector-j.jar ConnectorJ.java HOST:PORT DATABASE

import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Types;
import java.util.ArrayList;
import java.util.List;

public class ConnectorJ {
  static void check(boolean holds, String what) {
    if (!holds) throw new AssertionError(what);
  }

  static List<String> column(ResultSet rows, String name) throws SQLException {
    List<String> out = new ArrayList<>();
    while (rows.next()) out.add(rows.getString(name));
    return out;
  }

  static void metadata(Connection connection, String database) throws SQLException {
    DatabaseMetaData data = connection.getMetaData();
    check(data.getDatabaseProductVersion().equals("8.0.33-millrace"), data.getDatabaseProductVersion());
    check(column(data.getCatalogs(), "TABLE_CAT").contains(database), "catalogs");
    List<String> tables = column(data.getTables(database, null, "%", new String[] {"TABLE"}), "TABLE_NAME");
    check(tables.equals(List.of("t")), "tables " + tables);
    try (ResultSet columns = data.getColumns(database, null, "t", "%")) {
      check(columns.next() && columns.getString("COLUMN_NAME").equals("id"), "first column");
      check(columns.getInt("DATA_TYPE") == Types.BIGINT, "type of id " + columns.getInt("DATA_TYPE"));
      check(columns.getString("IS_NULLABLE").equals("NO"), "id is nullable");
      check(columns.next() && columns.getInt("DATA_TYPE") == Types.VARCHAR, "type of name");
      check(columns.next() && columns.getInt("DATA_TYPE") == Types.DECIMAL, "type of price");
      check(columns.getInt("COLUMN_SIZE") == 10 && columns.getInt("DECIMAL_DIGITS") == 2, "size of price");
    }
    List<String> keys = column(data.getPrimaryKeys(database, null, "t"), "COLUMN_NAME");
    check(keys.equals(List.of("id")), "keys " + keys);
    check(column(data.getIndexInfo(database, null, "t", false, false), "COLUMN_NAME").equals(List.of("id")), "indexes");
    check(column(data.getImportedKeys(database, null, "t"), "PKCOLUMN_NAME").isEmpty(), "foreign keys");
    check(column(data.getTableTypes(), "TABLE_TYPE").contains("VIEW"), "table types");
    check(column(data.getProcedures(database, null, "%"), "PROCEDURE_NAME").isEmpty(), "procedures");
  }

  static void statements(Connection connection) throws SQLException {
    try (PreparedStatement select = connection.prepareStatement("SELECT name, price, at, rate, n FROM t WHERE id = ? AND name = ?")) {
      select.setLong(1, 1);
      select.setString(2, "ann");
      try (ResultSet rows = select.executeQuery()) {
        check(rows.next(), "no row");
        check(rows.getString(1).equals("ann"), "name");
        check(rows.getBigDecimal(2).toPlainString().equals("10.50"), "price");
        check(rows.getTimestamp(3).toString().equals("2024-01-31 10:11:12.5"), "at " + rows.getTimestamp(3));
        check(rows.getDouble(4) == 0.25 && rows.getInt(5) == 3, "numbers");
        check(!rows.next(), "a second row");
      }
      select.setLong(1, 2);
      select.setNull(2, Types.VARCHAR);
      check(!select.executeQuery().next(), "NULL equals nothing");
    }
    try (PreparedStatement insert = connection.prepareStatement("INSERT INTO t (id, name, at) VALUES (?, ?, ?)")) {
      for (long id = 100; id < 103; ++id) {
        insert.setLong(1, id);
        insert.setString(2, "j'" + id);
        insert.setTimestamp(3, java.sql.Timestamp.valueOf("2024-02-29 01:02:03"));
        check(insert.executeUpdate() == 1, "inserted");
      }
    }
    try (Statement statement = connection.createStatement()) {
      try (ResultSet rows = statement.executeQuery("SELECT COUNT(*), MAX(name), MIN(at) FROM t WHERE id >= 100")) {
        check(rows.next() && rows.getInt(1) == 3 && rows.getString(2).equals("j'102"), "what was inserted");
        check(rows.getTimestamp(3).toString().equals("2024-02-29 01:02:03.0"), "at " + rows.getTimestamp(3));
      }
      check(statement.executeUpdate("DELETE FROM t WHERE id >= 100") == 3, "deleted");
      try {
        statement.executeQuery("SELECT * FROM missing");
        check(false, "a missing table was found");
      } catch (SQLException expected) {
        check(expected.getErrorCode() == 1146 && expected.getSQLState().equals("42S02"), expected.toString());
      }
    }
  }

  // Results in parts: by a cursor (useCursorFetch) or row by row (a fetch size of Integer.MIN_VALUE).
  static void many_rows(Connection connection, int fetchSize) throws SQLException {
    String numbers = "SELECT n, CONCAT('row ', n) AS t FROM generate_series(1, 5000) AS s(n) WHERE n > ? ORDER BY n";
    try (PreparedStatement select = connection.prepareStatement(numbers)) {
      select.setFetchSize(fetchSize);
      for (int round = 0; round < 2; ++round) {
        select.setInt(1, round);
        try (ResultSet rows = select.executeQuery()) {
          for (int n = round + 1; n <= 5000; ++n) {
            check(rows.next() && rows.getInt(1) == n && rows.getString(2).equals("row " + n), "row " + n);
          }
          check(!rows.next(), "a row too many");
        }
      }
      select.setInt(1, 0);
      ResultSet left = select.executeQuery();
      check(left.next() && left.getInt(1) == 1, "the first row");
      left.close();  // the rest is not read
      select.setInt(1, 5000);
      check(!select.executeQuery().next(), "a row of an empty result");
    }
    try (Statement statement = connection.createStatement()) {
      statement.setFetchSize(fetchSize);
      try (ResultSet rows = statement.executeQuery("SHOW TABLES")) {
        check(rows.next() && rows.getString(1).equals("t") && !rows.next(), "SHOW TABLES");
      }
    }
  }

  public static void main(String[] arguments) throws Exception {
    String url = "jdbc:mysql://" + arguments[0] + "/" + arguments[1] + "?user=root&sslMode=DISABLED";
    for (String option : List.of("", "&useServerPrepStmts=true", "&useServerPrepStmts=true&cachePrepStmts=true&rewriteBatchedStatements=true")) {
      try (Connection connection = DriverManager.getConnection(url + option)) {
        metadata(connection, arguments[1]);
        statements(connection);
        connection.setAutoCommit(false);
        connection.commit();
        connection.setAutoCommit(true);
        check(connection.isValid(5), "isValid");
      }
    }
    try (Connection connection = DriverManager.getConnection(url + "&useCursorFetch=true&defaultFetchSize=2")) {
      metadata(connection, arguments[1]);
      statements(connection);
      many_rows(connection, 100);
    }
    try (Connection connection = DriverManager.getConnection(url)) {
      many_rows(connection, Integer.MIN_VALUE);
    }
    System.out.println("all good");
  }
}
