//! Utterances and phrases as a call centre knows them, the same on every run.

/// Words that phrases and utterances are made of.
const WORDS: &str = "\
您好 请问 帮您 查询 订单 快递 地址 电话 号码 客户 服务 咨询 办理 业务 退款 退货 换货 发票 申请 审核 处理 反馈 投诉 建议 联系 \
稍等 核实 确认 登记 记录 工单 提交 系统 显示 账户 余额 充值 缴费 欠费 停机 套餐 流量 宽带 安装 维修 师傅 上门 预约 时间 明天 \
今天 后天 上午 下午 晚上 周末 工作 部门 领导 主管 经理 同事 平台 商家 店铺 卖家 买家 物流 仓库 发货 签收 包裹 运费 优惠 活动 \
红包 积分 会员 等级 权益 到期 续费 合同 协议 条款 规定 政策 标准 要求 情况 问题 原因 方案 结果 进度 状态 信息 资料 材料 证件 \
身份 姓名 住址 银行 转账 支付 扣款 还款 利息 贷款 额外 费用 金额 价格 产品 商品 质量 包装 损坏 缺少 配件 说明 操作 步骤 点击 \
页面 手机 软件 登录 密码 验证 短信 接收 发送 设置 修改 更新 关闭 打开 重启 网络 信号 故障 恢复 检测 线路 设备 机器 型号 颜色 \
尺寸 数量 库存 补货 赠送 礼品 感谢 理解 支持 耐心 等待 抱歉 麻烦 打扰 满意 评价 回访 通话 录音 转接 专员 人工 自助 语音 按键 \
挂机 再见 祝您 愉快 生活 孩子 老人 家里 公司 学校 医院 小区 楼栋 房间 门口 车辆 驾驶 保险 理赔 报案 现场 照片 上传 下载 文件 \
合适 方便 考虑 决定 选择 比较 推荐 介绍 功能 特点 优势 区别 类似 相关 具体 详细 简单 复杂 正常 异常 紧急 重要 普通 特殊 其他 \
已经 正在 马上 立即 尽快 随时 经常 偶尔 首先 然后 最后 另外 如果 因为 所以 但是 而且 或者 关于 对于 根据 按照 通过 经过 包括";

/// Words between them, which occur in no phrase.
const LINKS: [&str; 12] = ["我们这边", "您的", "就是", "，", "这个", "了", "吗", "，", "呢", "一下", "，", "还有"];

/// Utterances and phrases.
pub(crate) struct Corpus {
    /// Distinct phrases of four and six characters.
    pub(crate) phrases: Vec<String>,
    /// Utterances of about 27 characters; one in ten holds a phrase.
    pub(crate) utterances: Vec<String>,
    /// Those that hold none.
    #[allow(dead_code, reason = "not every bench needs them")]
    pub(crate) quiet: Vec<String>,
}

/// Numbers that look random and are always the same.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

impl Corpus {
    const UTTERANCES: usize = 1_000;

    pub(crate) fn new(phrases_len: usize) -> Self {
        let words: Vec<&str> = WORDS.split_whitespace().collect();
        let mut numbers = Numbers(7);
        let mut phrases = std::collections::BTreeSet::new();
        while phrases.len() < phrases_len {
            // Pairs are few, or every utterance would hold one.
            let len = if phrases.len() < 200.min(phrases_len / 2) { 2 } else { 3 };
            phrases.insert((0..len).map(|_| words[numbers.below(words.len())]).collect::<String>());
        }
        let phrases: Vec<String> = phrases.into_iter().collect();
        let (mut utterances, mut quiet) = (Vec::new(), Vec::new());
        while utterances.len() < Self::UTTERANCES {
            let has_hit = utterances.len() % 10 == 0;
            let mut utterance = String::new();
            let hit_at = 3 + numbers.below(4);
            for index in 0.. {
                if utterance.chars().count() >= 26 {
                    break;
                }
                if has_hit && index == hit_at {
                    utterance.push_str(&phrases[numbers.below(phrases.len())]);
                }
                utterance.push_str(words[numbers.below(words.len())]);
                if numbers.below(2) == 0 {
                    utterance.push_str(LINKS[numbers.below(LINKS.len())]);
                }
            }
            if phrases.iter().any(|phrase| utterance.contains(phrase.as_str())) != has_hit {
                continue;
            }
            if !has_hit {
                quiet.push(utterance.clone());
            }
            utterances.push(utterance);
        }
        Self { phrases, utterances, quiet }
    }
}
