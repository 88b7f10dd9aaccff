// The S3 driver against a server that misbehaves: each fault's outcome, and what create_object makes of it.
#include "object/s3_store.h"

#include <gtest/gtest.h>

#include "object/create.h"
#include "object/open.h"
#include "object/s3_double.h"
#include "object/test_wait.h"

namespace millrace::object {
namespace {

using Fault = S3Double::Fault;

SliceChain bytes_of(std::string text) {
  SliceChain chain;
  chain.append(Slice::of(std::move(text)));
  return chain;
}

class S3Store : public testing::Test {
 protected:
  void SetUp() override {
    S3StoreOptions options;
    options.multipart_bytes = 100'000;
    options.part_bytes = 30'000;
    open(s3_.url("p").append("&timeout_ms=300"), options);
  }
  void TearDown() override {
    store_.reset();
    s3_.stop();
  }
  void open(const std::string& url, S3StoreOptions options = {}, Environment environment = double_environment) {
    const auto parsed = parse_s3_url(url);
    ASSERT_TRUE(parsed) << parsed.error().to_string();
    auto client = S3Client::make(*locate_s3(*parsed, {}), parsed->profile, loop_.executor(), loop_.clock(), files_,
                                 std::move(environment), metrics_);
    ASSERT_TRUE(client) << client.error().to_string();
    store_ = make_s3_store(*client, options);
  }

  template <class T>
  Result<T> wait(Task<Result<T>> task) {
    return wait_on(loop_, std::move(task));
  }
  Result<std::string> put(const std::string& key, const std::string& body) {
    return wait(store_->put_if_absent(key, bytes_of(body)));
  }
  CreateResult create(const std::string& key, const std::string& body, Duration limit = 5s) {
    std::optional<CreateResult> answer;
    const auto run = [](Store& store, Clock& clock, Random& random, std::string name, std::string content,
                        Duration most, std::optional<CreateResult>& out) -> Task<void> {
      CreateOptions options;
      options.deadline = clock.now() + most;
      options.backoff_min = 1ms;
      SliceChain chain = bytes_of(std::move(content));
      auto result = co_await create_object(store, clock, random, name, chain, options);
      out.emplace(std::move(result));
    };
    loop_.run_until_done(run(*store_, loop_.clock(), *random_, key, body, limit, answer));
    return std::move(*answer);
  }

  EventLoop loop_;
  BlockingPool files_{2};
  Metrics metrics_;
  S3Double s3_{loop_};
  std::unique_ptr<Random> random_ = make_seeded_random(1);
  std::unique_ptr<Store> store_;
};

TEST_F(S3Store, each_fault_of_a_put_has_its_code) {
  const std::pair<Fault, Code> cases[] = {
      {Fault::kBusy, Code::kTimeout},         {Fault::kBusyAfterApply, Code::kTimeout},
      {Fault::kResetBefore, Code::kTimeout},  {Fault::kResetAfterApply, Code::kTimeout},
      {Fault::kSilent, Code::kTimeout},       {Fault::kTornBody, Code::kTimeout},
      {Fault::kConflict, Code::kUnavailable}, {Fault::kExistsFalsely, Code::kExists},
      {Fault::kPage404, Code::kCorrupt},      {Fault::kSkewed, Code::kDenied},
      {Fault::kNoBucket, Code::kInvalid},
  };
  int number = 0;
  for (const auto& [fault, code] : cases) {
    s3_.inject("PUT", fault);
    const auto answer = put(fmt::format("k{}", number++), "body");
    ASSERT_FALSE(answer) << number;
    EXPECT_EQ(answer.error().code(), code) << number << ": " << answer.error().to_string();
    EXPECT_FALSE(s3_.faults_left());
  }
}

TEST_F(S3Store, each_fault_of_a_get_has_its_code) {
  ASSERT_TRUE(put("k", "0123456789"));
  const std::pair<Fault, Code> cases[] = {
      {Fault::kBusy, Code::kTimeout},   {Fault::kResetBefore, Code::kTimeout},    {Fault::kTornBody, Code::kTimeout},
      {Fault::kSilent, Code::kTimeout}, {Fault::kAbsentFalsely, Code::kNotFound}, {Fault::kPage404, Code::kCorrupt},
      {Fault::kSkewed, Code::kDenied},  {Fault::kNoBucket, Code::kInvalid},
  };
  for (const auto& [fault, code] : cases) {
    s3_.inject("GET", fault);
    const auto whole = wait(store_->get("k"));
    ASSERT_FALSE(whole);
    EXPECT_EQ(whole.error().code(), code) << whole.error().to_string();
    s3_.inject("GET", fault);
    const auto part = wait(store_->get_range("k", {2, 3}));
    ASSERT_FALSE(part);
    EXPECT_EQ(part.error().code(), code) << part.error().to_string();
  }
  EXPECT_EQ(wait(store_->get_range("k", {2, 3}))->view(), "234");
}

TEST_F(S3Store, a_create_is_decided_whatever_happened_to_its_first_attempt) {
  int number = 0;
  for (const Fault fault : {Fault::kBusy, Fault::kBusyAfterApply, Fault::kResetBefore, Fault::kResetAfterApply,
                            Fault::kSilent, Fault::kTornBody, Fault::kConflict}) {
    const std::string key = fmt::format("slot/{}", number++);
    s3_.inject("PUT", fault);
    const CreateResult result = create(key, "mine");
    EXPECT_EQ(result.outcome, CreateOutcome::kCreated) << number << ": " << result.error.to_string();
    EXPECT_EQ(result.attempts, 2) << number;
    EXPECT_EQ(s3_.objects.at("p/" + key).body, "mine");
    EXPECT_EQ(create(key, "theirs").outcome, CreateOutcome::kLost);
    EXPECT_EQ(s3_.objects.at("p/" + key).body, "mine");
  }
}

TEST_F(S3Store, a_store_that_lies_about_existence_is_never_acknowledged) {
  s3_.inject("PUT", Fault::kExistsFalsely);
  EXPECT_EQ(create("never", "mine").outcome, CreateOutcome::kDeleted);
  EXPECT_FALSE(s3_.objects.contains("p/never"));
  s3_.inject("PUT", Fault::kResetAfterApply);
  s3_.inject("GET", Fault::kAbsentFalsely);
  EXPECT_EQ(create("there", "mine").outcome, CreateOutcome::kDeleted);
}

TEST_F(S3Store, an_older_etag_beside_a_newer_body_costs_one_swap) {
  const auto first = put("root", "1");
  ASSERT_TRUE(wait(store_->put_if_match("root", bytes_of("2"), *first)));
  s3_.inject("GET", Fault::kOlderEtag);
  const auto mixed = wait(store_->get("root"));
  ASSERT_TRUE(mixed);
  EXPECT_EQ(mixed->body.view(), "2");
  EXPECT_EQ(mixed->etag, *first);
  EXPECT_EQ(wait(store_->put_if_match("root", bytes_of("3"), mixed->etag)).error().code(), Code::kExists);
  const auto changed = wait(store_->get_if_changed("root", mixed->etag));
  ASSERT_TRUE(changed && *changed);
  EXPECT_TRUE(wait(store_->put_if_match("root", bytes_of("3"), (*changed)->etag)));
}

TEST_F(S3Store, errors_say_what_to_do) {
  s3_.inject("GET", Fault::kSkewed);
  EXPECT_NE(wait(store_->get("k")).error().message().find("clock"), std::string::npos);
  s3_.inject("GET", Fault::kNoBucket);
  EXPECT_NE(wait(store_->get("k")).error().message().find("create the bucket 'bucket'"), std::string::npos);
  s3_.inject("GET", Fault::kPage404);
  EXPECT_NE(wait(store_->get("k")).error().message().find("S3 server"), std::string::npos);
  open(s3_.url() + "&region=eu-west-1");
  const auto region = wait(store_->get("k"));
  EXPECT_EQ(region.error().code(), Code::kInvalid);
  open(s3_.url(), {}, [](std::string_view name) -> std::optional<std::string> {
    if (name == "AWS_ACCESS_KEY_ID" || name == "AWS_SECRET_ACCESS_KEY") return "other";
    return std::nullopt;
  });
  const auto denied = wait(store_->get("k"));
  EXPECT_EQ(denied.error().code(), Code::kDenied);
  EXPECT_NE(denied.error().message().find("AWS_ACCESS_KEY_ID"), std::string::npos);
}

TEST_F(S3Store, an_unreachable_store_did_nothing) {
  open("s3://bucket?endpoint=http://127.0.0.1:1");
  const auto answer = put("k", "body");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), Code::kUnavailable);
  EXPECT_NE(answer.error().message().find("127.0.0.1:1"), std::string::npos);
}

TEST_F(S3Store, large_bodies_go_up_in_parts_and_create_only) {
  const std::string body = std::string(150'000, 'a') + std::string(70'001, 'b');
  SliceChain pieces;
  pieces.append_copy(body.substr(0, 7));
  pieces.append_copy(body.substr(7));
  const auto etag = wait(store_->put_if_absent("large", pieces));
  ASSERT_TRUE(etag) << etag.error().to_string();
  EXPECT_EQ(s3_.objects.at("p/large").body, body);
  EXPECT_EQ(wait(store_->get("large"))->body.view(), body);
  const auto again = wait(store_->put_if_absent("large", bytes_of(std::string(150'000, 'c'))));
  EXPECT_EQ(again.error().code(), Code::kExists);
  EXPECT_EQ(s3_.objects.at("p/large").body, body);
  EXPECT_TRUE(s3_.uploads.empty()) << "the refused upload was not aborted";
}

TEST_F(S3Store, requests_are_counted_as_they_are_charged) {
  ASSERT_TRUE(put("one", "body"));
  ASSERT_FALSE(put("one", "body"));                      // refused, and charged
  ASSERT_TRUE(put("large", std::string(100'001, 'x')));  // POST, four parts, POST
  ASSERT_TRUE(wait(store_->get_range("one", {0, 2})));
  ASSERT_TRUE(wait(store_->list("", "", 10)));
  ASSERT_TRUE(wait(store_->remove({"one"})));
  ASSERT_TRUE(wait(store_->remove({"large", "absent"})));
  const std::string text = metrics_.expose();
  for (const auto* line : {"{method=\"PUT\"} 6\n", "{method=\"POST\"} 2\n", "{method=\"GET\"} 1\n",
                           "{method=\"LIST\"} 1\n", "{method=\"DELETE\"} 2\n", "{method=\"HEAD\"} 0\n"}) {
    EXPECT_NE(text.find("millrace_object_s3_requests_total" + std::string(line)), std::string::npos) << line << text;
  }
}

TEST_F(S3Store, an_upload_that_was_not_completed_was_not_applied) {
  const std::string body(150'000, 'a');
  for (int i = 0; i < 3; ++i) s3_.inject("PUT", Fault::kBusy);  // one part's three attempts, or three parts' first
  const auto retried = wait(store_->put_if_absent("parts", bytes_of(body)));
  EXPECT_TRUE(retried || retried.error().code() == Code::kUnavailable);
  for (int i = 0; i < 40; ++i) s3_.inject("PUT", Fault::kBusy);
  const auto refused = wait(store_->put_if_absent("never", bytes_of(body)));
  EXPECT_EQ(refused.error().code(), Code::kUnavailable);
  EXPECT_FALSE(s3_.objects.contains("p/never"));
  EXPECT_TRUE(s3_.uploads.empty());
}

TEST_F(S3Store, an_upload_whose_completion_is_unclear_is_unknown) {
  const std::string body(150'000, 'a');
  for (const Fault fault : {Fault::kBusyAfterApply, Fault::kLateError}) {
    const std::string key = fault == Fault::kLateError ? "late" : "busy";
    // The first POST begins the upload; the fault must meet the second.
    const auto begun = [this] { return !s3_.uploads.empty(); };
    EXPECT_FALSE(begun());
    s3_.inject("POST", Fault::kOlderEtag);  // means nothing to a POST: it only takes the first turn
    s3_.inject("POST", fault);
    const auto answer = wait(store_->put_if_absent(key, bytes_of(body)));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code(), Code::kTimeout) << answer.error().to_string();
    EXPECT_EQ(s3_.objects.contains("p/" + key), fault == Fault::kBusyAfterApply);
    s3_.uploads.clear();
    EXPECT_EQ(create(key, body).outcome, CreateOutcome::kCreated);
  }
}

TEST_F(S3Store, a_batch_delete_looks_at_each_key) {
  std::vector<std::string> keys;
  for (int i = 0; i < 1500; ++i) {
    keys.push_back(fmt::format("obj/{}", i));
    s3_.objects["p/" + keys.back()] = {"x", "\"e\"", ""};
  }
  s3_.objects["elsewhere"] = {"x", "\"e\"", ""};
  s3_.locked = {"p/obj/1234"};
  const auto partly = wait(store_->remove(keys));
  ASSERT_FALSE(partly);
  EXPECT_EQ(partly.error().code(), Code::kDenied);
  EXPECT_NE(partly.error().message().find("p/obj/1234"), std::string::npos);
  EXPECT_EQ(s3_.objects.size(), 2u);
  s3_.locked.clear();
  EXPECT_TRUE(wait(store_->remove(keys)));
  EXPECT_TRUE(s3_.objects.contains("elsewhere"));
}

TEST_F(S3Store, lists_go_on_page_by_page) {
  for (int i = 0; i < 25; ++i) s3_.objects[fmt::format("p/k{:02}", i)] = {"x", "\"e\"", ""};
  s3_.objects["p/odd key"] = s3_.objects["q/k00"] = {"x", "\"e\"", ""};
  s3_.page_max = 4;
  const auto all = wait(store_->list("", "", 100));
  ASSERT_TRUE(all);
  EXPECT_EQ(all->size(), 25u);
  const auto some = wait(store_->list("k", "k02", 9));
  ASSERT_TRUE(some);
  ASSERT_EQ(some->size(), 9u);
  EXPECT_EQ(some->front().key, "k03");
  EXPECT_EQ(some->back().key, "k11");
}

TEST_F(S3Store, requests_at_once_share_few_connections) {
  open(s3_.url() + "&connections=2");
  int done = 0;
  const auto many = [](EventLoop& loop, Store& store, int& count) -> Task<void> {
    TaskScope scope(loop.executor());
    const auto one = [](Store& s, int i, int& n) -> Task<void> {
      SliceChain body = bytes_of(std::string(1000, 'x'));
      auto put = co_await s.put_if_absent(fmt::format("k{}", i), body);
      if (put) ++n;
    };
    for (int i = 0; i < 50; ++i) scope.spawn(one(store, i, count));
    co_await scope.stop();
  };
  loop_.run_until_done(many(loop_, *store_, done));
  EXPECT_EQ(done, 50);
}

}  // namespace
}  // namespace millrace::object
