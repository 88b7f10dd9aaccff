#include "object/s3_xml.h"

#include <fmt/format.h>

#include <charconv>

namespace millrace::object {
namespace {

constexpr std::size_t kXmlDepthMax = 16;

bool is_xml_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

bool is_blank(std::string_view text) {
  for (const char c : text) {
    if (!is_xml_space(c)) return false;
  }
  return true;
}

// False for a code point that no text may hold.
bool append_utf8(std::string& out, std::uint32_t point) {
  if (point == 0 || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return false;
  const auto tail = [&out, point](int shift) { out += static_cast<char>(0x80 | ((point >> shift) & 0x3f)); };
  if (point < 0x80) {
    out += static_cast<char>(point);
  } else if (point < 0x800) {
    out += static_cast<char>(0xc0 | (point >> 6));
    tail(0);
  } else if (point < 0x10000) {
    out += static_cast<char>(0xe0 | (point >> 12));
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xf0 | (point >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
  return true;
}

class XmlReader {
 public:
  XmlReader(std::string_view xml, const XmlLeave& leave) : xml_(xml), leave_(leave) {}

  Result<void> read() {
    while (at_ < xml_.size()) {
      if (xml_[at_] == '<') {
        TRY_VOID(markup());
      } else {
        TRY_VOID(text());
      }
    }
    if (!open_.empty()) return odd("the document ends inside an element");
    if (!seen_root_) return odd("there is no element");
    return {};
  }

 private:
  struct Element {
    std::size_t path_size;  // of its parent
    std::string text;
  };

  std::unexpected<Error> odd(std::string_view why) const {
    return fail(Code::kCorrupt, fmt::format("XML at byte {}: {}", at_, why));
  }
  bool take(std::string_view what) {
    if (!xml_.substr(at_).starts_with(what)) return false;
    at_ += what.size();
    return true;
  }
  // What lies before `end`, which is consumed.
  Result<std::string_view> until(std::string_view end) {
    const std::size_t found = xml_.find(end, at_);
    if (found == std::string_view::npos) return odd(fmt::format("'{}' is missing", end));
    const std::string_view between = xml_.substr(at_, found - at_);
    at_ = found + end.size();
    return between;
  }

  Result<void> markup() {
    if (take("<?")) return skip("?>");
    if (take("<!--")) return skip("-->");
    if (take("<![CDATA[")) {
      TRY(const std::string_view raw, until("]]>"));
      if (open_.empty()) return odd("text outside of an element");
      open_.back().text += raw;
      return {};
    }
    if (take("<!")) return odd("document types are not read");
    if (take("</")) return close();
    ++at_;
    return open();
  }
  Result<void> skip(std::string_view end) {
    TRY_VOID(until(end));
    return {};
  }

  static std::string_view local(std::string_view name) {
    const std::size_t colon = name.rfind(':');
    return colon == std::string_view::npos ? name : name.substr(colon + 1);
  }

  Result<void> open() {
    const std::size_t begin = at_;
    while (at_ < xml_.size() && !is_xml_space(xml_[at_]) && xml_[at_] != '>' && xml_[at_] != '/') ++at_;
    const std::string_view name = local(xml_.substr(begin, at_ - begin));
    if (name.empty() || name.find_first_of("<&\"'=") != std::string_view::npos) return odd("no name of an element");
    if (open_.empty() && seen_root_) return odd("a second root element");
    if (open_.size() >= kXmlDepthMax) return odd("elements are nested too deeply");
    seen_root_ = true;
    open_.push_back({path_.size(), ""});
    if (!path_.empty()) path_ += '/';
    path_ += name;
    return attributes();
  }
  Result<void> attributes() {
    char quote = 0;
    for (; at_ < xml_.size(); ++at_) {
      const char c = xml_[at_];
      if (quote != 0) {
        if (c == quote) quote = 0;
      } else if (c == '"' || c == '\'') {
        quote = c;
      } else if (c == '<') {
        return odd("'<' inside a tag");
      } else if (c == '>') {
        const bool closed = xml_[at_ - 1] == '/';
        ++at_;
        if (closed) leave();
        return {};
      }
    }
    return odd("a tag does not end");
  }
  Result<void> close() {
    TRY(std::string_view name, until(">"));
    while (!name.empty() && is_xml_space(name.back())) name.remove_suffix(1);
    if (open_.empty()) return odd("an end without a beginning");
    const std::size_t begin = open_.back().path_size == 0 ? 0 : open_.back().path_size + 1;
    if (std::string_view(path_).substr(begin) != local(name))
      return odd(fmt::format("</{}> ends another element", name));
    leave();
    return {};
  }
  void leave() {
    leave_(path_, open_.back().text);
    path_.resize(open_.back().path_size);
    open_.pop_back();
  }

  Result<void> text() {
    const std::size_t end = std::min(xml_.find('<', at_), xml_.size());
    if (open_.empty()) {
      if (!is_blank(xml_.substr(at_, end - at_))) return odd("text outside of an element");
      at_ = end;
      return {};
    }
    while (at_ < end) {
      if (xml_[at_] == '&') {
        TRY_VOID(entity(end));
      } else {
        open_.back().text += xml_[at_++];
      }
    }
    return {};
  }
  Result<void> entity(std::size_t end) {
    const std::size_t semicolon = xml_.find(';', at_);
    if (semicolon >= end || semicolon - at_ > 12) return odd("an entity does not end");
    std::string_view name = xml_.substr(at_ + 1, semicolon - at_ - 1);
    std::string& out = open_.back().text;
    constexpr std::pair<std::string_view, char> kNamed[] = {
        {"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};
    for (const auto& [known, c] : kNamed) {
      if (name != known) continue;
      out += c;
      at_ = semicolon + 1;
      return {};
    }
    if (!name.starts_with('#')) return odd("an unknown entity");
    name.remove_prefix(1);
    const int base = name.starts_with('x') ? 16 : 10;
    if (base == 16) name.remove_prefix(1);
    std::uint32_t point = 0;
    const auto [parsed, error] = std::from_chars(name.data(), name.data() + name.size(), point, base);
    if (name.empty() || error != std::errc() || parsed != name.data() + name.size() || !append_utf8(out, point))
      return odd("an entity that is no character");
    at_ = semicolon + 1;
    return {};
  }

  std::string_view xml_;
  const XmlLeave& leave_;
  std::size_t at_ = 0;
  std::string path_;
  std::vector<Element> open_;
  bool seen_root_ = false;
};

std::optional<std::uint64_t> parse_size(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The whole document must have this root.
std::unexpected<Error> not_a(std::string_view root) {
  return fail(Code::kCorrupt, fmt::format("the answer is no <{}>", root));
}

std::string xml_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      default: out += c;
    }
  }
  return out;
}

}  // namespace

Result<void> read_xml(std::string_view xml, const XmlLeave& leave) { return XmlReader(xml, leave).read(); }

S3ErrorBody parse_s3_error(std::string_view xml) {
  S3ErrorBody body;
  bool complete = false;
  const auto read = read_xml(xml, [&](std::string_view path, std::string_view text) {
    // STS and IAM put it one level down.
    if (path.starts_with("ErrorResponse/")) path.remove_prefix(14);
    if (path == "Error/Code") body.code = text;
    if (path == "Error/Message") body.message = text;
    if (path == "Error/Region") body.region = text;
    if (path == "Error/ServerTime") body.server_time = text;
    if (path == "Error/ActualObjectSize") body.object_size = parse_size(text);
    if (path == "Error") complete = true;
  });
  if (!read || !complete) return {};
  return body;
}

Result<S3ListPage> parse_list_page(std::string_view xml) {
  S3ListPage page;
  Listed object;
  bool complete = false;
  std::string odd;
  TRY_VOID(read_xml(xml, [&](std::string_view path, std::string_view text) {
    if (path == "ListBucketResult/Contents/Key") {
      object.key = text;
    } else if (path == "ListBucketResult/Contents/Size") {
      const auto size = parse_size(text);
      if (!size) odd = text;
      object.size_bytes = size.value_or(0);
    } else if (path == "ListBucketResult/Contents") {
      page.objects.push_back(std::exchange(object, {}));
    } else if (path == "ListBucketResult/IsTruncated") {
      page.truncated = text == "true";
    } else if (path == "ListBucketResult/NextContinuationToken") {
      page.continuation = text;
    } else if (path == "ListBucketResult") {
      complete = true;
    }
  }));
  if (!complete) return not_a("ListBucketResult");
  if (!odd.empty()) return fail(Code::kCorrupt, fmt::format("a listed size is '{}'", odd.substr(0, 50)));
  if (page.truncated && page.continuation.empty())
    return fail(Code::kCorrupt, "a list is cut without saying how to go on");
  return page;
}

Result<std::vector<S3DeleteError>> parse_delete_result(std::string_view xml) {
  std::vector<S3DeleteError> errors;
  S3DeleteError error;
  bool complete = false;
  TRY_VOID(read_xml(xml, [&](std::string_view path, std::string_view text) {
    if (path == "DeleteResult/Error/Key") error.key = text;
    if (path == "DeleteResult/Error/Code") error.code = text;
    if (path == "DeleteResult/Error/Message") error.message = text;
    if (path == "DeleteResult/Error") errors.push_back(std::exchange(error, {}));
    if (path == "DeleteResult") complete = true;
  }));
  if (!complete) return not_a("DeleteResult");
  return errors;
}

std::string delete_document(const std::vector<std::string>& keys) {
  std::string xml = "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>";
  for (const auto& key : keys) xml += "<Object><Key>" + xml_escaped(key) + "</Key></Object>";
  return xml + "</Delete>";
}

Result<std::string> parse_upload_id(std::string_view xml) {
  std::string id;
  TRY_VOID(read_xml(xml, [&id](std::string_view path, std::string_view text) {
    if (path == "InitiateMultipartUploadResult/UploadId") id = text;
  }));
  if (id.empty()) return not_a("InitiateMultipartUploadResult");
  return id;
}

Result<S3Completed> parse_completed(std::string_view xml) {
  S3Completed completed;
  TRY_VOID(read_xml(xml, [&completed](std::string_view path, std::string_view text) {
    if (path == "CompleteMultipartUploadResult/ETag") completed.etag = text;
  }));
  completed.error = parse_s3_error(xml);
  if (completed.etag.empty() && completed.error.code.empty()) return not_a("CompleteMultipartUploadResult");
  return completed;
}

std::string complete_document(const std::vector<std::string>& etags) {
  std::string xml = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
  for (std::size_t i = 0; i < etags.size(); ++i)
    xml += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", i + 1, xml_escaped(etags[i]));
  return xml + "</CompleteMultipartUpload>";
}

}  // namespace millrace::object
